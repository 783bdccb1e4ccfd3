"""Real client programs open what motet writes. `scripts/install_clients.sh` brings them into `.venv-clients`."""
