#!/bin/sh
# run.sh INSTALLATION COMPUTER REPOSITORY MODULES FOLDER COMMAND...: enter.sh for programs that are read. Node for Windows cannot write
# to a pipe of Unix, so it writes to files, which are passed on as they grow.
here=$(dirname "$0")
computer=$2
name=$(mktemp -u "$computer/tmp/said-XXXXXX")
: >"$name.out" >"$name.err"
sh "$here/enter.sh" "$@" </dev/null >"$name.out" 2>"$name.err" &
pid=$!
tail -f -n +1 -s 0.05 --pid=$pid "$name.out" &
tail -f -n +1 -s 0.05 --pid=$pid "$name.err" >&2 &
code=0
wait $pid || code=$?
wait
rm -f "$name.out" "$name.err"
exit $code
