#!/bin/sh
# What has failed in `make test`, whose parts have left in a folder what they said (*.log) and how they ended (*.code):
# the tracebacks of each part, or its last lines where it has none, and in the end the names of all tests that failed.
cd "$1" || exit
for code in *.code; do
	part=${code%.code}
	[ "$(cat "$code")" != 0 ] || continue
	printf '\n--- %s failed:\n' "$part"
	if grep -qE '^=+ (ERRORS|FAILURES) =+$' "$part.log"; then
		awk '/^=+ (ERRORS|FAILURES) =+$/ { tells = 1 } /^=+ [a-z ]+ =+$/ { tells = 0 } tells' "$part.log"
	else
		tail -n 40 "$part.log"
	fi
done
printf '\n'
grep -E '^(FAILED|ERROR) ' ./*.log
