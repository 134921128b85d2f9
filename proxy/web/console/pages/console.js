// What makes the pages handier; they work without it.
"use strict";

const EVERY = 2000; // milliseconds
const PATIENCE = 5000;

const language = document.documentElement.lang;
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });

function clock() {
  return new Date().toTimeString().slice(0, 8);
}

// ---------------------------------------------------------------- Now moves

const moving = document.getElementById("moving");

if (moving) {
  const pulse = document.getElementById("pulse");
  const word = document.getElementById("pulse-word");
  const pause = document.getElementById("pause");
  const spoken = document.getElementById("spoken");
  let isPaused = false;
  let lostAt = "";
  let state = headline().dataset.state;
  let timer = 0;

  pulse.hidden = false;

  function headline() {
    return document.getElementById("headline");
  }

  function isRead() {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && moving.contains(selection.anchorNode);
  }

  function show() {
    pulse.classList.toggle("lost", lostAt !== "");
    moving.classList.toggle("is-lost", lostAt !== "");
    word.textContent = isPaused ? pulse.dataset.paused : lostAt ? `${pulse.dataset.lost} ${lostAt}` : pulse.dataset.live;
  }

  function exchange(text) {
    const focused = moving.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    moving.innerHTML = text;
    if (focused) {
      moving.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    }
    if (headline().dataset.state !== state) {
      state = headline().dataset.state;
      spoken.textContent = headline().textContent.replace(/\s+/g, " ").trim(); // read out once
    }
  }

  async function refresh() {
    try {
      const response = await fetch("/now", { credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE) });
      if (response.redirected) {
        location.reload(); // the session is over
        return;
      }
      if (!response.ok) {
        throw new Error(response.statusText);
      }
      const text = await response.text();
      if (!isPaused && !isRead()) {
        exchange(text);
      }
      lostAt = "";
    } catch {
      lostAt = lostAt || clock();
    }
    show();
    again();
  }

  function again() {
    clearTimeout(timer);
    if (!document.hidden && !isPaused) {
      timer = setTimeout(refresh, EVERY);
    }
  }

  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
    show();
    again();
  });
  document.addEventListener("visibilitychange", again);
  again();
}

// ---------------------------------------------------------------- times are told how long ago they were

function ago(time) {
  const at = Date.parse(time.dateTime);
  const seconds = (at - Date.now()) / 1000;
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) {
      return relative.format(Math.trunc(seconds / size), unit);
    }
  }
  return relative.format(Math.trunc(seconds), "second");
}

document.addEventListener("mouseover", (event) => {
  const time = event.target.closest?.("time[datetime]");
  if (time) {
    time.title = ago(time);
  }
});

// ---------------------------------------------------------------- filters send themselves

for (const form of document.querySelectorAll("form[data-sends-itself]")) {
  form.addEventListener("change", () => form.requestSubmit());
}

// ---------------------------------------------------------------- what was asked for is where the eye is

document.getElementById("result")?.scrollIntoView({ block: "start" });
