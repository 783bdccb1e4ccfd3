"""Real client programs open what motet writes. `tests/clients/install_clients.sh` brings them into
`.venv-clients`."""
