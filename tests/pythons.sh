#!/usr/bin/env bash
# Runs the tests of the probe under every Python that Ringback supports, each in an environment of its own.
# A version that is not on this machine is skipped by name. Arguments are pytest's.
set -euo pipefail
cd "$(dirname "$0")/.."
versions=${PYTHONS:-3.11 3.12 3.13}
environments=${ENVIRONMENTS:-.venv}

# In the path, or among pyenv's, which answer to the name only where they are chosen.
interpreter() {
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/"python$1"; do
        if "$candidate" -c 'import venv' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

failed=()
for version in $versions; do
    python=$(interpreter "$version")
    if [[ -z $python ]]; then
        echo "Python $version: not on this machine, skipped"
        continue
    fi
    environment=$environments-$version
    if [[ ! $environment/ready -nt requirements.lock || ! $environment/ready -nt pyproject.toml ]]; then
        "$python" -m venv "$environment"
        "$environment/bin/pip" install --quiet --disable-pip-version-check -c requirements.lock -e '.[collector,dev]'
        touch "$environment/ready"
    fi
    echo "Python $version"
    "$environment/bin/pytest" -n auto --dist loadfile -q -p no:cacheprovider tests/probe "$@" || failed+=("$version")
done
[[ ${#failed[@]} == 0 ]] || { echo "The tests fail under Python ${failed[*]}"; exit 1; }
