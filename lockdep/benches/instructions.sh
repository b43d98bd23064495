#!/bin/sh
# Instructions per round of DEPTH locks and unlocks, by callgrind: (20,000 rounds - 10,000 rounds) / 10,000.
# From the root of the workspace:  sh lockdep/benches/instructions.sh
# Needs valgrind. The counts repeat exactly for one compiler; "off" must equal "raw". "declared" is with learning switched
# off; "across" is "learned" with an owner per lock, each under the control of the next; "timed" is with times taken (by a clock
# that costs nothing), "stopped" after that was started and stopped, which must equal "learned".
set -eu
build() {
    RUSTFLAGS="--cfg $1" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/$1" \
        cargo bench --quiet -p lockdep --bench instructions --no-run --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'
}
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 | sed -n 's/.*Collected : //p'
}
per_round() {
    echo $((($(count "$@" 20000) - $(count "$@" 10000)) / 10000))
}
on=$(build lockdep)
off=$(build lockdep_off)
printf '%-12s %5s %5s %5s %5s\n' workload 1 2 4 8
for workload in raw declared learned contexts across raw-readers readers stopped timed; do
    printf '%-12s' "$workload"
    for depth in 1 2 4 8; do printf ' %5s' "$(per_round "$on" "$workload" $depth)"; done
    echo
done
for workload in learned readers; do
    printf '%-12s' "$workload off"
    for depth in 1 2 4 8; do printf ' %5s' "$(per_round "$off" "$workload" $depth)"; done
    echo
done

# Where they stand in the source, inlined code under its own file. What is in the way of fewer, for one lock alone: the number of
# the CPU comes from the kernel's function (a call, and the check that the number is one: cpu.rs); the CPU's state is marked busy
# and left, so that an interrupt stays out (atomic.rs); a class has an address and not a small number that could be stored at
# once, and what a report shows (class, owner and key, instance, site: held.rs) is recorded when the lock is acquired, since there
# is nowhere to find it later. Under other locks: a guard is written to memory, because the next acquisition may panic and then
# has to release it. A declared order alone is recorded in the same way, and its look is a call.
profile() {
    out=$(mktemp)
    valgrind --tool=callgrind --callgrind-out-file="$out" "$on" "$1" "$2" 10000 >/dev/null 2>&1
    printf '\n%s, depth %s: instructions a round, by file\n' "$1" "$2"
    callgrind_annotate --auto=no --threshold=100 "$out" | sed -n 's/^ *\([0-9,]*\) (.*%) *\([^ ]*\.rs\):.*/\1 \2/p' | awk '
        { gsub(",", "", $1); sub(/.*\/(core|src|benches)\//, "", $2); of[$2] += $1 }
        END { for (file in of) if (of[file] >= 5000) printf "%5.0f  %s\n", of[file] / 10000, file }' | sort -k1,1nr -k2
    rm -f "$out"
}
for depth in 1 2; do
    profile raw $depth
    profile learned $depth
    profile declared $depth
done
