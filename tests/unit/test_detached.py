import asyncio
import gc
import inspect
import weakref

import pytest

from proxy import detached
from proxy.detached import detach, wait_at_most
from proxy.errors import DeadlineExceeded, Unavailable
from tests.unit.fakes import After, Stubborn, in_virtual_time, now


async def after(seconds: float, result: str = "done") -> str:
    await asyncio.sleep(seconds)
    return result


async def failing(exc: BaseException) -> str:
    raise exc


@in_virtual_time
async def test_a_result_that_comes_in_time_is_returned() -> None:
    assert await wait_at_most(1, detach(after(0.5))) == "done"
    assert now() == 1000.5


@in_virtual_time
async def test_the_result_of_work_that_has_ended_is_there_at_once() -> None:
    task = detach(after(0.5))
    await task
    assert await wait_at_most(0, task) == "done"
    assert now() == 1000.5


@in_virtual_time
async def test_an_error_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        await wait_at_most(1, detach(failing(ZeroDivisionError())))


@in_virtual_time
async def test_who_waits_leaves_in_time_and_the_work_goes_on() -> None:
    task = detach(after(5))
    with pytest.raises(DeadlineExceeded, match=r"^no answer within 1\.5 s$"):
        await wait_at_most(1.5, task)
    assert now() == 1001.5
    assert not task.cancelled()
    assert await wait_at_most(10, task) == "done"
    assert now() == 1005


@in_virtual_time
async def test_the_work_goes_on_when_the_one_who_waits_is_cancelled() -> None:
    task = detach(after(5))
    waiter = detach(wait_at_most(10, task))
    await asyncio.sleep(1)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert now() == 1001
    assert await task == "done"


@in_virtual_time
async def test_work_that_was_cancelled_from_elsewhere_counts_as_unavailable() -> None:
    task = detach(after(5))
    asyncio.get_running_loop().call_later(1, task.cancel)
    with pytest.raises(Unavailable, match=r"^the lookup was cut short$"):
        await wait_at_most(10, task)


@in_virtual_time
async def test_work_that_cancels_itself_counts_as_unavailable() -> None:
    with pytest.raises(Unavailable, match=r"^the lookup was cut short$"):
        await wait_at_most(10, detach(failing(asyncio.CancelledError())))


@in_virtual_time
async def test_work_that_tries_to_end_the_process_ends_only_itself() -> None:
    task = detach(failing(SystemExit(3)))
    with pytest.raises(RuntimeError, match=r"^it tried to end the whole process \(SystemExit\)$") as caught:
        await wait_at_most(1, task)
    assert isinstance(caught.value.__cause__, SystemExit)
    detach(failing(SystemExit(3)))
    await asyncio.sleep(1)


def test_whoever_interrupts_at_the_keyboard_ends_it_all() -> None:
    async def interrupted() -> None:
        await detach(failing(KeyboardInterrupt()))

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(interrupted())


@in_virtual_time
async def test_work_that_is_cancelled_before_it_begins_is_over() -> None:
    work = after(5)
    task = detach(work)
    task.cancel()
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
    assert now() == 1000


@in_virtual_time
async def test_what_is_no_coroutine_cannot_be_detached() -> None:
    with pytest.raises(TypeError, match=r"^a coroutine was expected, not a NoneType$"):
        detach(None)  # type: ignore[arg-type]


@in_virtual_time
async def test_detached_work_lives_without_anybody_holding_it() -> None:
    awaited: list[weakref.ref[asyncio.Future[None]]] = []
    landed: list[str] = []

    async def land() -> None:
        future = asyncio.get_running_loop().create_future()
        awaited.append(weakref.ref(future))
        await future
        landed.append("landed")

    detach(land())
    await asyncio.sleep(0)
    gc.collect()
    future = awaited[0]()
    assert future is not None
    future.set_result(None)
    await asyncio.sleep(0.1)
    assert landed == ["landed"]
    assert not detached._running


@in_virtual_time
async def test_an_error_that_nobody_waits_for_is_no_complaint_at_the_end() -> None:
    detach(failing(ZeroDivisionError()))
    await asyncio.sleep(0.1)  # the loop of these tests takes a complaint for a failure


@in_virtual_time
async def test_finishing_cancels_what_runs_and_waits_for_its_end() -> None:
    answer = After(100)
    detach(answer.wait())
    await asyncio.sleep(0)
    await detached.finish(5)
    assert answer.cancelled == 1
    assert now() == 1000


@in_virtual_time
async def test_finishing_does_not_wait_longer_than_it_may() -> None:
    answer = Stubborn(100)
    detach(answer.wait())
    await asyncio.sleep(0)
    await detached.finish(5)
    assert answer.cancelled == 1
    assert now() == 1005


@in_virtual_time
async def test_finishing_when_nothing_runs_takes_no_time() -> None:
    await detached.finish(5)
    assert now() == 1000
