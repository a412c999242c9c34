# Sourced by the scripts beside it: virtual environments that are made once, under .env/, and brought up
# to date when what they are made from changes.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
requirements=$root/tools/requirements

say() { printf '==> %s\n' "$*" >&2; }

fail() {
  printf 'error: %s\n' "$1" >&2
  [[ $# == 1 ]] || printf '  %s\n' "${@:2}" >&2
  exit 1
}

# usage SCRIPT: prints the comment at its head.
usage() { sed -n '2,/^set/{s/^# \{0,1\}//p}' "$1" >&2; }

# one_at_a_time: waits until no other set-up runs. The lock is held until file descriptor 9 is closed.
one_at_a_time() {
  mkdir -p "$root/.env"
  touch "$root/.env/COLCON_IGNORE" # whose crawl of a workspace would read all that is installed there
  exec 9>"$root/.env/lock"
  flock 9
}

# find_python CANDIDATE...: sets $python to the interpreter behind the first candidate that runs: behind,
# because a candidate may be a version manager's shim, or lie in a virtual environment that is made anew.
find_python() {
  local candidate
  for candidate; do
    python=$("$candidate" -c 'import sys; print(sys._base_executable)' 2>/dev/null) && return
  done
  [[ -z ${PYTHON:-} ]] || fail "PYTHON=$PYTHON does not run"
  python=
  check_system
}

# check_system: stops, naming the command that installs it, where something is missing that only the
# operating system can give.
check_system() {
  local packages=()
  [[ $root != *[[:space:]]* ]] || fail "the path '$root' has a space in it, which breaks CMake and scripts"
  if [[ -z $python ]]; then
    packages+=(python3 python3-venv python3-dev)
  else
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
      fail "Python 3.10 or newer is needed, $python is $("$python" -V): say which with PYTHON=python3.12"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
    [[ -f $("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h ]] ||
      packages+=(python3-dev)
  fi
  { command -v cc && command -v c++ && command -v make; } >/dev/null || packages+=(build-essential)
  [[ ${#packages[@]} == 0 ]] ||
    fail "missing from this machine: ${packages[*]}" "sudo apt install ${packages[*]}"
}

# make_environment FOLDER VENV_OPTIONS PIP_ARGUMENT...: the virtual environment FOLDER, with what the
# arguments to pip install name. Its stamp is written last: a set-up that was interrupted starts afresh, one
# whose requirements changed is brought up to date.
make_environment() {
  local folder=$1 options=$2 stamp=$1/.stamp maker recipe argument
  shift 2
  maker="$("$python" -VV | tr '\n' ' ') $python $folder $options"
  recipe=$(for argument; do if [[ -f $argument ]]; then cat "$argument"; else echo "$argument"; fi; done | sha256sum)
  [[ -f $stamp && $(<"$stamp") == "$maker"$'\n'"$recipe" ]] && return
  check_system
  if [[ ! -f $stamp || $(head -n 1 "$stamp") != "$maker" ]]; then
    rm -rf "$folder"
    "$python" -m venv $options "$folder"
  fi
  rm -f "$stamp"
  say "Installing Python packages into ${folder#"$root"/}: minutes the first time, once"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "pip>=23.1"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
  printf '%s\n' "$maker" "$recipe" >"$stamp"
}
