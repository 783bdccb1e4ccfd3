"""Machines and weather."""

from __future__ import annotations

import numpy as np

from motet.synthesis.soundscape.tones import (
    Samples,
    banded,
    clock,
    decay,
    noise,
    partials,
    peaked,
    placed,
    slow,
    sweep,
)

Sound = tuple[Samples, list[float], list[float]]
"""Samples from the onset on; events and beats, seconds from the onset."""


def siren(random: np.random.Generator, seconds: float) -> Sound:
    """Two-tone or wailing."""
    time = clock(seconds)
    low, ratio, rate = random.uniform(450, 700), random.uniform(1.3, 1.9), random.uniform(0.25, 0.9)
    wave = np.sin(2 * np.pi * rate * time - np.pi / 2)
    # two tones (the sign of the wave) or a wail (the wave itself)
    curve = low * ratio ** (np.sign(wave) if random.random() < 0.5 else wave)
    # tanh: a driven horn is nearly square
    tone = np.tanh(2.5 * np.sin(sweep(curve)))
    return banded(tone, 300, 6000), [0.0], []


def fire_alarm(random: np.random.Generator, seconds: float) -> Sound:
    """Shrill beeps."""
    time = clock(seconds)
    rate, pitch = random.uniform(1.2, 4.0), random.uniform(2600, 3300)
    gate = ((time * rate) % 1 < random.uniform(0.5, 0.7)).astype(float)
    # 60 samples, 2 ms: no clicks
    gate = np.convolve(gate, np.ones(60) / 60, mode="same")
    tone = np.tanh(1.8 * np.sin(sweep(np.full(len(time), pitch)))) + 0.3 * np.sin(
        sweep(np.full(len(time), 2 * pitch))
    )
    return tone * gate, [k / rate for k in range(int(seconds * rate))], []


def phone(random: np.random.Generator, seconds: float) -> Sound:
    """Ringing with pauses."""
    base, ratio, trill = (
        random.uniform(420, 1200),
        random.uniform(1.05, 1.35),
        random.uniform(15, 24),
    )
    ring, pause = random.uniform(0.8, 1.6), random.uniform(0.7, 1.8)
    time = clock(ring)
    curve = base * np.where(np.sin(2 * np.pi * trill * time) > 0, ratio, 1.0)
    tone = (
        np.sin(sweep(curve)) + 0.4 * np.sin(2 * sweep(curve)) + 0.2 * np.sin(3 * sweep(curve))
    ) * np.clip((ring - time) / 0.05, 0, 1)
    starts = list(np.arange(0, seconds, ring + pause))
    return placed(len(clock(seconds)), [(start, tone) for start in starts]), starts, []


def bicycle_bell(random: np.random.Generator, seconds: float) -> Sound:
    """Ring-rings."""
    base = random.uniform(2100, 3200)
    time = clock(0.9)
    # partials of a small dome
    ping = partials(
        time, (1.0, 1.506, 2.03, 2.74), base, (0.30, 0.22, 0.15, 0.1), (1, 0.6, 0.4, 0.25)
    )
    starts, moment = [], 0.0
    while moment < seconds - 0.5:
        starts += [
            moment + k * random.uniform(0.06, 0.09) for k in range(int(random.integers(4, 9)))
        ]
        moment = starts[-1] + random.uniform(0.9, 2.4)
    return (
        placed(len(clock(seconds)), [(start, ping * random.uniform(0.5, 1.0)) for start in starts]),
        starts[:1],
        [],
    )


def church_bell(random: np.random.Generator, seconds: float) -> Sound:
    """Tolling."""
    base, gap = random.uniform(180, 420), random.uniform(1.5, 2.8)
    time = clock(min(seconds, 6.0))
    toll = partials(
        time,
        # hum, prime, tierce (minor third), quint, nominal and above: a church bell's partials
        (0.5, 1.0, 1.19, 1.5, 2.0, 2.74, 3.76),
        base,
        (4.5, 2.8, 2.0, 1.5, 1.1, 0.7, 0.5),
        (0.6, 1, 0.8, 0.4, 0.9, 0.4, 0.25),
    )
    starts = list(np.arange(0, seconds, gap))
    return placed(len(clock(seconds)), [(start, toll) for start in starts]), starts, []


def engine(random: np.random.Generator, seconds: float) -> Sound:
    """A running motor with changing speed."""
    count = len(clock(seconds))
    # firing frequency, Hz
    firing = random.uniform(28, 60) * (1 + 0.25 * slow(random, count, 0.5))
    phase = sweep(firing)
    tone = sum(np.sin(k * phase + random.uniform(0, 6)) / k**0.7 for k in range(1, 14))
    rough = 1 + 0.4 * np.sin(phase / 2) + 0.25 * slow(random, count, 60)
    return (
        peaked(tone * rough)
        + 0.12 * banded(noise(random, count), 400, 4000) * (1 + 0.5 * np.sin(phase)),
        [0.0],
        [],
    )


def vehicle(random: np.random.Generator, seconds: float) -> Sound:
    """A car: motor, tyres, a horn now and then."""
    count = len(clock(seconds))
    motor, _, _ = engine(random, seconds)
    tyres = banded(noise(random, count), 200, 2500) * (0.6 + 0.3 * slow(random, count, 0.7))
    horns = list(np.sort(random.uniform(0.2, seconds - 1, int(random.integers(1, 3)))))
    time = clock(random.uniform(0.35, 0.8))
    # two horns a major third apart
    horn = np.tanh(2 * (np.sin(2 * np.pi * 415 * time) + np.sin(2 * np.pi * 523 * time))) * np.clip(
        (time[-1] - time) / 0.04, 0, 1
    )
    return (
        0.5 * motor
        + 0.35 * peaked(tyres)
        + placed(count, [(start, 0.9 * horn) for start in horns]),
        [0.0, *horns],
        [],
    )


def aircraft(random: np.random.Generator, seconds: float) -> Sound:
    """A jet or a propeller overhead."""
    count = len(clock(seconds))
    swell = 0.45 + 0.55 * np.sin(
        # louder as it passes
        np.pi * np.clip(np.arange(count) / count * random.uniform(0.8, 1.1) + 0.08, 0, 1)
    )
    roar = banded(noise(random, count), 60, 900) + 0.4 * banded(noise(random, count), 900, 5000)
    pitch = random.uniform(75, 130) * (1 + 0.03 * slow(random, count, 0.4))
    whine = (
        sum(np.sin(k * sweep(pitch)) / k for k in range(1, 8))
        if random.random() < 0.5
        else 0.6 * np.sin(sweep(pitch * 22))
    )
    return (peaked(roar) + 0.35 * whine) * swell, [0.0], []


def wind(random: np.random.Generator, seconds: float) -> Sound:
    """Gusts and howling."""
    count = len(clock(seconds))
    gust = 0.5 + 0.5 * slow(random, count, 0.8)
    howl = banded(noise(random, count), 380, 620, 2) * np.clip(slow(random, count, 0.6), 0, 1)
    return (
        peaked(banded(noise(random, count), 60, 700, 1)) * (0.3 + 0.7 * gust) + 0.5 * peaked(howl),
        [0.0],
        [],
    )


def rain(random: np.random.Generator, seconds: float) -> Sound:
    """Hiss and single drops."""
    count = len(clock(seconds))
    hiss = (
        0.35
        * peaked(banded(noise(random, count), 1500, 11_000, 1))
        * (0.8 + 0.2 * slow(random, count, 0.5))
    )
    drops = np.zeros(count)
    where = random.integers(0, count - 400, int(seconds * random.uniform(60, 140)))
    # 0.9 rad a sample is 4.4 kHz, dying away in 1 ms
    drops[where] = random.exponential(0.5, len(where))
    return (
        hiss
        + 0.5
        * banded(
            np.convolve(
                drops, np.exp(-np.arange(160) / 30) * np.sin(np.arange(160) * 0.9), mode="same"
            ),
            600,
            None,
        ),
        [0.0],
        [],
    )


def thunder(random: np.random.Generator, seconds: float) -> Sound:
    """Claps that roll away."""
    starts = [
        0.0,
        *(
            float(v)
            for v in np.sort(random.uniform(3, max(3.5, seconds - 2), int(random.integers(0, 2))))
        ),
    ]
    time = clock(4.5)
    pieces = []
    for start in starts:
        # the crack is near and short, the roll far and long
        crack = banded(noise(random, len(time)), 300, 5000) * decay(
            time, 0.004, random.uniform(0.08, 0.2)
        )
        roll = (
            banded(noise(random, len(time)), 25, 160)
            * decay(time, 0.05, 1.3)
            * (0.6 + 0.4 * slow(random, len(time), 5))
        )
        pieces.append((start, peaked(crack) * 0.8 + peaked(roll)))
    return placed(len(clock(seconds)), pieces), starts, []


def explosion(random: np.random.Generator, seconds: float) -> Sound:
    """One or two blasts."""
    time = clock(3.0)
    starts = [0.0] + ([random.uniform(2.5, 5)] if random.random() < 0.3 else [])
    body = banded(noise(random, len(time)), 20, 300) * decay(time, 0.008, 0.7) * 3 + banded(
        noise(random, len(time)), 300, 6000
    ) * decay(time, 0.002, 0.12)
    return (
        placed(len(clock(seconds)), [(start, np.tanh(2.5 * peaked(body))) for start in starts]),
        starts,
        [],
    )


def gunshot(random: np.random.Generator, seconds: float) -> Sound:
    """One to five shots."""
    time = clock(0.9)
    crack = noise(random, len(time)) * decay(
        time, 0.0004, random.uniform(0.012, 0.03)
    ) + 0.5 * banded(noise(random, len(time)), 80, 900) * decay(time, 0.003, 0.12)
    starts = list(np.cumsum([0.0, *random.uniform(0.25, 1.4, int(random.integers(0, 5)))]))
    return (
        placed(
            len(clock(seconds)),
            [(start, np.tanh(2 * peaked(crack)) * random.uniform(0.8, 1)) for start in starts],
        ),
        starts,
        [],
    )


def firework(random: np.random.Generator, seconds: float) -> Sound:
    """Whistles that end in a bang and crackle."""
    starts = list(np.cumsum([0.0, *random.uniform(1.2, 2.6, 4)]))
    pieces, bangs = [], []
    for start in starts:
        rise = clock(random.uniform(0.4, 0.8))
        whistle = (
            0.22
            * np.sin(sweep(np.linspace(900, random.uniform(2200, 3500), len(rise))))
            * np.clip(rise / 0.2, 0, 1)
        )
        time = clock(1.6)
        bang = peaked(banded(noise(random, len(time)), 40, 2500) * decay(time, 0.002, 0.16))
        sparks = np.zeros(len(time))
        sparks[random.integers(4000, len(time), 60)] = random.uniform(-0.5, 0.5, 60)
        pieces += [
            (start, whistle),
            (
                start + rise[-1],
                bang + np.convolve(sparks, np.exp(-np.arange(90) / 14), mode="same"),
            ),
        ]
        bangs.append(start + float(rise[-1]))
    return placed(len(clock(seconds)), pieces), bangs, []
