"""Films and replays that lie inside of the page, so that it opens anywhere without a network."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from robolearn.report.heatmaps import weights_image


@dataclass(frozen=True)
class RecordedLife:
    """One life of one agent.

    Attributes:
        caption: whose life it is, and what befalls it.
        film: an mp4, or None where it could not be made; then `replay` is all there is.
        poster: a JPEG of the film, which stands for it until it plays, and in print.
        replay: a whole HTML page with a viewer, or None.
        times: (S,) s of life, of the weights.
        weights: (S, k) of the synapses that changed most; None for a brain without any.
        noted: how many synapses were watched.
    """

    caption: str
    film: bytes | None = None
    poster: bytes = b""
    replay: str | None = None
    times: NDArray[np.float64] | None = None
    weights: NDArray[np.float32] | None = None
    noted: int = 0


def film_panel(label: str, colour: int, life: RecordedLife) -> str:
    """Return a film with controls; silent, and not begun by itself."""
    if life.film is None:
        return _panel(label, colour, '<p class="note">No film: this machine has no OpenGL.</p>', "")
    data, poster = (base64.b64encode(part).decode() for part in (life.film, life.poster))
    video = (
        '<video controls muted playsinline preload="none" '
        f'poster="data:image/jpeg;base64,{poster}" src="data:video/mp4;base64,{data}" '
        f'aria-label="Film: {escape(life.caption, quote=True)}"></video>'
    )
    return _panel(label, colour, video, life.caption)


def replay_theatre(lives: Sequence[tuple[str, int, RecordedLife]], number: int) -> str:
    """Return one stage for all replays, with a button for each; a viewer begins when asked for.

    Args:
        lives: (label, colour, life) each.
        number: of the section, which makes ids unique.
    """
    buttons, scripts = [], []
    for i, (label, colour, life) in enumerate(lives):
        if life.replay is None:
            continue
        name = f"replay-{number}-{i}"
        # "<" would end the script that carries it.
        content = json.dumps(life.replay).replace("<", "\\u003c")
        buttons.append(
            f'<button type="button" data-replay="{name}" data-stage="stage-{number}" '
            f'aria-pressed="false" title="{escape(life.caption, quote=True)}">'
            f'<span class="swatch c{colour}"></span> {escape(label)}</button>'
        )
        scripts.append(f'<script type="application/json" id="{name}">{content}</script>')
    if not buttons:
        return ""
    return (
        f'<div class="choice" role="group" aria-label="Replay of">{"".join(buttons)}</div>'
        f'<div class="stage" id="stage-{number}"><p>Choose a recipe to open its replay.</p></div>'
        f"{''.join(scripts)}"
    )


def weights_panel(label: str, colour: int, life: RecordedLife) -> str:
    """Return how the weights change over a life."""
    if life.weights is None or life.times is None or not np.ptp(life.weights, axis=0).any():
        return ""
    picture, limit = weights_image(life.times, life.weights)
    shown = life.weights.shape[1]
    image = (
        f'<img class="weights" src="{picture}" alt="Change of the {shown} of {life.noted} '
        f"weights of {escape(label, quote=True)} that change most, over "
        f'{life.times[-1]:.0f} s of life; at most ±{limit:.2g}">'
        f'<div class="scale"><span>birth</span><span>±{limit:.2g} at the strongest colour</span>'
        f"<span>{life.times[-1]:.0f} s</span></div>"
    )
    return _panel(label, colour, image, "")


def _panel(label: str, colour: int, content: str, caption: str) -> str:
    heading = f'<h4><span class="swatch c{colour}"></span>{escape(label)}</h4>'
    below = f'<p class="note">{escape(caption)}</p>' if caption else ""
    return f'<div class="panel">{heading}{content}{below}</div>'
