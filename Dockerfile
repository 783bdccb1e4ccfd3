# motet in a container. The default command is the studio; it prints an address with a secret, and
# keeps its data in /data.
#   docker build -t motet .
#   docker run --rm -p 127.0.0.1:8420:8420 -v motet:/data motet
#   docker run --rm -v "$PWD:/work" motet motet run /work/speech.wav -o /work/out.mp4
FROM python:3.11-slim
WORKDIR /motet
COPY pyproject.toml constraints.txt README.md DATA.md LICENSE ./
COPY src ./src
COPY examples ./examples
RUN python -m pip install --no-cache-dir --constraint constraints.txt ".[serve]"
RUN motet --version && motet weights verify
ENV MOTET_TOKEN="" MOTET_DATA=/data
EXPOSE 8420
CMD ["sh", "-c", "exec motet serve --host 0.0.0.0 --data \"$MOTET_DATA\" --token \"${MOTET_TOKEN:-$(python -c 'import secrets; print(secrets.token_urlsafe(16))')}\""]
