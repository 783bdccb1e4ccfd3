#!/bin/sh
# Brings the client programs of `make test-clients` into .venv-clients: the Khronos glTF validator, three.js and ONNX Runtime (npm),
# Blender as a module (PyPI), and Chromium (apt, only when none is installed; needs root).
set -eu
cd "$(dirname "$0")/.."
home=.venv-clients
mkdir -p "$home"

if ! command -v npm >/dev/null; then
    echo "install_clients: npm is missing; install Node.js 18 or later, e.g. apt-get install npm" >&2
    exit 1
fi
if [ ! -d "$home/node_modules/gltf-validator" ] || [ ! -d "$home/node_modules/three" ] || [ ! -d "$home/node_modules/onnxruntime-web" ]; then
    npm install --prefix "$home" --no-fund --no-audit --silent gltf-validator@2.0.0-dev.3.10 three@0.187 onnxruntime-web@1.30
fi

# Blender's module is built for one version of Python.
if [ ! -x "$home/blender/bin/python" ]; then
    python3.11 -m venv "$home/blender"
    "$home/blender/bin/python" -m pip install --quiet --disable-pip-version-check "bpy==4.5.*"
fi

if ! command -v chromium-headless-shell >/dev/null && ! command -v chromium >/dev/null && [ -z "${MOTET_CHROMIUM:-}" ]; then
    apt-get install -y -qq --no-install-recommends chromium-headless-shell >/dev/null || {
        echo "install_clients: no Chromium; install one and name it in MOTET_CHROMIUM" >&2
        exit 1
    }
fi
echo "install_clients: ready in $home"
