#!/bin/sh
# Sets up what a make target needs, and nothing that is there already.
#
#   scripts/setup.sh run     .venv with the packages of requirements.lock
#   scripts/setup.sh lint    .venv with the packages of requirements-dev.lock, a superset
#   scripts/setup.sh test    the same, and from the system a Chromium and a Chinese font
#
# MEDTUNE_PYTHON names the Python to build .venv with. A mirror set for pip is used for uv as well.
set -eu
cd -- "$(dirname -- "$0")/.."

purpose=${1:-run}
uv_version=0.13.9
venv=.venv
stamps=$venv/.medtune

say() { printf 'medtune: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Stamps are copies of the lock files, made when everything in them is installed. With both there, and
# a Python of the version they were installed for, nothing is left to do.
ready() {
    [ ! -e "$stamps/installing" ] && cmp -s requirements.lock "$stamps/requirements.lock" || return 1
    [ "$purpose" = run ] || cmp -s requirements-dev.lock "$stamps/requirements-dev.lock" || return 1
    [ "$purpose" != test ] || [ -e "$stamps/browser" ] || return 1
    [ "$(python_version)" = "$(cat "$stamps/python" 2>/dev/null)" ]
}

python_version() {
    "$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo none
}

# apt_install "what for" package…
apt_install() {
    why=$1
    shift
    command -v apt-get >/dev/null || die "$why. Install what your system calls: $*; then run make again."
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        die "$why, which needs rights that this account doesn't have. Run once:" \
            "sudo apt-get update && sudo apt-get install -y $*"
    fi
    say "$why: installing $* with apt-get"
    quiet="-qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0"
    printed=$(mktemp)
    # shellcheck disable=SC2086  # options and an empty sudo are meant to split
    if ! { $as_root apt-get $quiet update &&
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get $quiet install -y --no-install-recommends "$@"; } >"$printed" 2>&1; then
        cat "$printed" >&2
        die "apt-get could not install $*; the lines above say why."
    fi
    rm -f "$printed"
}

# 3.14 is left out: LLaMA-Factory 0.9.5 holds datasets at 4.0.0, which can't load a file there.
supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    if [ -n "${MEDTUNE_PYTHON:-}" ]; then
        supported "$MEDTUNE_PYTHON" ||
            die "MEDTUNE_PYTHON=$MEDTUNE_PYTHON is not a Python 3.11, 3.12 or 3.13."
        echo "$MEDTUNE_PYTHON"
        return
    fi
    for name in python3 python3.13 python3.12 python3.11; do
        if supported "$name"; then
            echo "$name"
            return
        fi
    done
}

make_venv() {
    python=$(find_python)
    if [ -n "$python" ]; then
        say "making $venv with $("$python" --version)"
        venv_with "$python" "$venv"
        return
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null ||
        die "MedTune needs Python 3.11, 3.12 or 3.13, and there is none. Install one (on Debian and" \
            "Ubuntu: sudo apt-get install -y python3 python3-venv) or name one in MEDTUNE_PYTHON."
    say "$(python3 --version) can't train (3.11, 3.12 and 3.13 can): fetching Python 3.13 with uv"
    venv_with python3 "$venv-uv"
    install_uv "$venv-uv"
    "$venv-uv/bin/uv" venv --quiet --clear --seed --python 3.13 "$venv" ||
        die "uv could not fetch Python 3.13. Install Python 3.11, 3.12 or 3.13 and name it in MEDTUNE_PYTHON."
    rm -rf "$venv-uv"
}

# venv_with python folder
venv_with() {
    if ! "$1" -c 'import ensurepip, venv' 2>/dev/null; then
        package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        apt_install "$("$1" --version) comes without venv" "$package"
    fi
    "$1" -m venv --clear "$2" || die "$1 could not make $2; the lines above say why."
}

install_uv() {
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$uv_version" ||
        die "uv could not be installed; the lines above say why. Run make again to go on."
}

# uv does not read pip's settings, and a mirror is what makes 5 GB bearable on many lines.
use_mirror_of_pip() {
    [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ] || return 0
    mirror=${PIP_INDEX_URL:-$("$venv/bin/python" -m pip config get global.index-url 2>/dev/null || true)}
    [ -z "$mirror" ] || export UV_DEFAULT_INDEX="$mirror"
}

install_packages() {
    lock=requirements.lock
    if [ "$purpose" != run ] || [ -e "$stamps/requirements-dev.lock" ]; then
        lock=requirements-dev.lock
    fi
    # A wheel that was cut off while it was unpacked looks installed. So an interrupted set-up starts
    # over with an empty .venv; what was downloaded is in uv's cache and is not fetched again. The same
    # when the system's Python has changed under .venv, or when a foreign .venv has an unfit one.
    present=$(python_version)
    if [ -e "$stamps/installing" ] || ! supported "$venv/bin/python" ||
        [ "$(cat "$stamps/python" 2>/dev/null || echo "$present")" != "$present" ]; then
        make_venv
    fi
    mkdir -p "$stamps"
    : >"$stamps/installing"
    python_version >"$stamps/python"
    "$venv/bin/uv" --version 2>/dev/null | grep -qF "uv $uv_version" || install_uv "$venv"
    use_mirror_of_pip
    say "installing $(grep -c '^[a-z0-9].*==' $lock) packages of $lock into $venv" \
        "(5 GB on Linux, most of it torch with CUDA: minutes on a fast line, and only this once)"
    # Compiled here as pip does: where PYTHONDONTWRITEBYTECODE is set, as in many containers, each start
    # of a trainer or an engine would compile torch and transformers anew, which doubles it.
    UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-120} \
        "$venv/bin/uv" pip sync --quiet --compile-bytecode --python "$venv/bin/python" \
        --require-hashes "$lock" ||
        die "the packages could not be installed; the lines above say why. Run make again to go on:" \
            "what was fetched is kept."
    rm -f "$stamps/requirements-dev.lock"
    [ "$lock" = requirements.lock ] || cp requirements-dev.lock "$stamps/"
    cp requirements.lock "$stamps/"
    rm "$stamps/installing"
}

install_browser() {
    # On Ubuntu the package is a door to the snap; --version tells whether there is anything behind it.
    if ! "$venv/bin/python" tests/browser/chromium.py >/dev/null; then
        if grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null; then
            apt_install "the browser tests need Chromium" chromium-browser
        else
            apt_install "the browser tests need Chromium" chromium
        fi
        "$venv/bin/python" tests/browser/chromium.py >/dev/null ||
            die "Chromium is there but does not start (on Ubuntu it is a snap). Install Google Chrome, or run" \
                "once: $venv/bin/python -m playwright install --with-deps chromium"
    fi
    # The program inside Playwright needs a library that a small system lacks.
    "$venv/bin/python" -m playwright --version >/dev/null 2>&1 ||
        apt_install "the browser tests need a library of Playwright's" libatomic1
    # Without a font for Chinese, screenshots and widths of texts are of empty boxes. macOS has one.
    if [ "$(uname)" = Linux ] && ! fc-list :lang=zh 2>/dev/null | grep -q .; then
        apt_install "the browser tests need a Chinese font" fontconfig fonts-noto-cjk
    fi
    : >"$stamps/browser"
}

case $purpose in
run | lint | test) ;;
*) die "usage: scripts/setup.sh run|lint|test" ;;
esac
ready && exit 0

# Two terminals may set up at once; the second waits here and then finds nothing left to do.
if command -v flock >/dev/null; then
    exec 9>.setup.lock
    flock 9
    ready && exit 0
fi
saved=$purpose
[ "$purpose" = test ] && purpose=lint
ready || install_packages
purpose=$saved
[ "$purpose" != test ] || ready || install_browser
say "ready"
