"""A second set in the format of the recorded ones: other sizes, seeds, counts, names and orders.

Our own code is the writer, so this set says nothing about fidelity. It shows that the tests take
everything from the set: a literal of the recorded sets would break them here.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from motet.diffusion.schedule import Schedule, make_schedule, strided_timesteps
from motet.methods.artalk.config import ArtalkCondition, CodecConfig, ReleasedConfig, Wav2Vec2Config
from motet.methods.artalk.postprocess import smooth
from motet.methods.artalk.published_method import PublishedMethod, run_official
from motet.methods.artalk.published_v1.generate import ReleasedGenerator
from motet.methods.artalk.published_v1.model import ReleasedModel
from motet.methods.artalk.state_dict import released_to_official
from motet.methods.mospa.config import MospaConfig
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.noise_schedule import noise_schedule
from motet.methods.mospa.source_encoding import source_input
from motet.methods.mospa.state_dict import own_name
from motet.methods.mospa.windows import SamplingConfig, WindowConditions, sample_window
from tests.parity.mospa.conftest import published_shapes


@dataclasses.dataclass(frozen=True)
class Writer:
    """Writes the files of one method."""

    folder: Path

    def write(self, name: str, tensors: dict[str, Tensor], said: dict, said_as: str = "") -> None:
        """One tensor file and its description, tensors in reversed order."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = {key: tensors[key].detach().contiguous().clone() for key in reversed(tensors)}
        save_file(kept, self.folder / f"{name}.safetensors")
        index = {key: {"shape": list(value.shape)} for key, value in kept.items()}
        path = self.folder / f"{said_as or name}.json"
        path.write_text(json.dumps({**said, "tensors": index}))


def write_second_set(folder: Path) -> None:
    """Parts of an ARTalk, a DiffPoseTalk and a MOSPA set."""
    torch.manual_seed(99)
    with torch.no_grad():
        _mospa(Writer(folder / "mospa"))
        _diffposetalk(Writer(folder / "diffposetalk"))
        _artalk(Writer(folder / "artalk"))


def _mospa(writer: Writer) -> None:
    config = MospaConfig(24, 3, 3, 20, audio_inner=12, audio_dim=10, diffusion_steps=1000)
    shapes = published_shapes(config)
    weights = {name: 0.1 * torch.randn(shape) for name, shape in shapes.items()}
    own = {own_name(name): tensor for name, tensor in weights.items()}
    options = {"num_heads": 3, "dropout": 0.2, "arch": "trans_enc", "audio_dim": 10}
    writer.write("denoiser_weights", weights, {"options": options})

    def model(steps: int, schedule: str = "cosine") -> MospaModel:
        made = MospaModel(
            dataclasses.replace(config, diffusion_steps=steps, schedule=schedule, steps=2)
        )
        made.load_state_dict(own)
        return made.eval()

    batch, frames, steps = 3, 9, 26
    x, audio, source = (torch.randn(batch, size, frames) for size in (300, 10, 3))
    genre, step = torch.tensor([1, 0, 2]), torch.tensor([4, 400, 1])
    net = model(1000)
    out = net(x.mT, step + 1, audio.mT, source_input(source.mT, config.source), genre, None).mT
    io = {"x": x, "t": step, "audio": audio, "pred_ss": source, "state": genre, "out": out}
    writer.write("denoiser_io", io, {"cases": {"out": "all conditions on"}})
    short = noise_schedule(MospaConfig(schedule="linear", diffusion_steps=33, steps=1))
    kept = strided_timesteps(net.schedule, 4)
    listed = torch.tensor([number - 1 for number in reversed(kept[:-1])])
    writer.write(
        "diffusion_tables",
        {"spaced.1000_to_ddim4": listed, **_tables("linear33", short)},
        {"what": "all complete"},
    )
    noise = torch.randn(steps, batch, 300, frames)
    given = WindowConditions(audio.mT, genre, lambda estimate: source.mT)
    drawn = model(steps, "linear")
    every = tuple(range(steps, -1, -1))

    def made(net: MospaModel, kind: str, walked: tuple[int, ...]) -> Tensor:
        return sample_window(
            net, given, SamplingConfig(kind, walked), x.mT, lambda k: noise[k].mT
        ).mT

    first = drawn.estimate(
        x.mT,
        torch.full((batch,), steps),
        drawn.embed_conditions(given.audio, torch.nn.functional.normalize(source.mT, dim=1), genre),
    ).mT
    sampling = {
        "audio": audio, "pred_ss": source, "state": genre, "x_T": x, "step_noise": noise,
        "sample_final": made(drawn, "ancestral", every), "pred_xstart_first": first,
        "sample_first": made(drawn, "ancestral", every[:2]),
        "sample_mid": made(drawn, "ancestral", every[:5]),
        "ddim_final": made(drawn, "ddim", every),
        "ddim5_of_1000_final": made(net, "ddim", tuple(strided_timesteps(net.schedule, 5))),
    }  # fmt: skip
    said = {
        "schedule": f"linear {steps}",
        "tensors_meaning": {"sample_mid": "x after step index 3"},
    }
    writer.write("sampling", sampling, said)


def _tables(name: str, schedule: Schedule) -> dict[str, Tensor]:
    bars, before, betas = schedule.alpha_bars[1:], schedule.alpha_bars[:-1], schedule.betas[1:]
    variance = schedule.sigmas_inflex[1:].square()
    tables = {
        "betas": betas,
        "alphas_cumprod": bars,
        "alphas_cumprod_prev": before,
        "sqrt_alphas_cumprod": bars.sqrt(),
        "sqrt_one_minus_alphas_cumprod": (1 - bars).sqrt(),
        "posterior_variance": variance,
        "posterior_log_variance_clipped": torch.cat([variance[1:2], variance[1:]]).log(),
        "posterior_mean_coef1": betas * before.sqrt() / (1 - bars),
        "posterior_mean_coef2": (1 - before) * (1 - betas).sqrt() / (1 - bars),
    }
    return {f"{name}.{table}": values for table, values in tables.items()}


def _diffposetalk(writer: Writer) -> None:
    tables = {}
    for kind, steps in (("sigmoid", 11), ("cosine", 23)):
        schedule = make_schedule(kind, steps)
        for table in ("betas", "alphas", "alpha_bars", "sigmas_flex", "sigmas_inflex"):
            tables[f"{kind}.{steps}.{table}"] = getattr(schedule, table).float()
    writer.write("schedules", tables, {})


def _artalk(writer: Writer) -> None:
    codec = CodecConfig(106, 5, 18, 1, 3, (1, 5, 9))
    audio = Wav2Vec2Config(20, 1, 5, 16, (4,) * 7, 6, 5)
    config = ReleasedConfig(codec, audio, 30, 2, 3, 1, 12, 1, 2, 14)
    model = ReleasedModel(config).eval().requires_grad_(False)
    method, size = PublishedMethod(ReleasedGenerator(model)), codec.frames * 640
    sound = torch.randint(-9000, 9000, (2 * size + 1717,), dtype=torch.int16)
    samples, style = sound.float() / 32768, torch.randn(1, 31, 106)
    embedding = model.style_encoder(style)
    motion = run_official(method, samples, PLAIN).values[0]
    io = {
        "audio_i16": sound, "style.motion": style, "style.embedding": embedding,
        "style.cond": model.style_entry(embedding).unsqueeze(1),
        "style.cond_guided": model.style_token(style),
        "gen.null.motion": motion, "gen.null.smoothed": smooth(motion),
        "gen.null.bits": torch.zeros(1),
        "gen.one_window.motion": run_official(method, samples[:size], PLAIN).values[0],
        "gen.short1285.motion": run_official(method, samples[:1285], PLAIN).values[0],
    }  # fmt: skip
    said = {
        "tolerance": {"float_abs": 1e-4, "float_rel": 1e-4},
        "config": {"VAE_CONFIG": {"T_NUM_HEADS": 3, "V_PATCH_NUMS": list(codec.patches)}},
        "wav2vec2_config": {"num_attention_heads": 5},
        "shrunk_literals": {"style encoder (d_model 128, heads 4)": [12, 2, 14, 1]},
        "samples_per_window": size,
        "sample_rate": 16000,
        "fps": 25,
    }
    writer.write("released_weights", released_to_official(model.state_dict(), config), {})
    writer.write("released_io", io, said, "released")


PLAIN = ArtalkCondition(jaw_only_opens=False)
