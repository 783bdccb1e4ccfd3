"""The studio's server: `motet serve`. It answers HTTP and sockets; worker processes compute."""
