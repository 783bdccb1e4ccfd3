# motet in a container. The default command animates the example recording into /motet/out.
#   docker build -t motet .
#   docker run --rm -v "$PWD/out:/motet/out" motet
#   docker run --rm -v "$PWD:/data" motet motet run /data/speech.wav -o /data/out.mp4
FROM python:3.11-slim
WORKDIR /motet
COPY pyproject.toml constraints.txt README.md DATA.md LICENSE ./
COPY src ./src
COPY examples ./examples
RUN python -m pip install --no-cache-dir --constraint constraints.txt .
RUN motet --version && motet weights verify
CMD ["motet", "run", "examples/demo.flac", "-o", "out/talk.mp4", "-o", "out/curves.csv"]
