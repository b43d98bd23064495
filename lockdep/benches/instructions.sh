#!/bin/sh
# Instructions per round of DEPTH locks and unlocks, by callgrind: (20,000 rounds - 10,000 rounds) / 10,000.
# From the root of the workspace:  sh lockdep/benches/instructions.sh
# Needs valgrind. The counts repeat exactly for one compiler; "off" must equal "raw". "declared" is with learning switched
# off; "across" is "learned" with an owner per lock, each under the control of the next.
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
for workload in raw declared learned contexts across raw-readers readers; do
    printf '%-12s' "$workload"
    for depth in 1 2 4 8; do printf ' %5s' "$(per_round "$on" "$workload" $depth)"; done
    echo
done
for workload in learned readers; do
    printf '%-12s' "$workload off"
    for depth in 1 2 4 8; do printf ' %5s' "$(per_round "$off" "$workload" $depth)"; done
    echo
done
