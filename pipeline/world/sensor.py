"""The sensor of a surveillance camera: from linear light to an 8-bit crop.

All bytes are equal on every x86-64 machine: floats only meet +, -, * and sqrt, which IEEE 754
rounds exactly; the tone curve is a table computed in float64; blur, sharpening and scaling are
Pillow's integer filters.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image, ImageFilter

from pipeline.world import Rng

_STEPS = 2048  # entries of the tone table, evenly spaced in the root of the exposure
_BRIGHTEST = 6.0  # exposure of its last entry; 1 is nearly white
_GREY = np.array([0.30, 0.59, 0.11], np.float32)
_MIDDLE = 0.2  # mean exposure of a scene under automatic exposure
_BILINEAR, _BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
_REFERENCE = 256  # height in pixels to which `Sensor.blur` refers


@dataclass(frozen=True)
class Sensor:
    """Image processing of one camera."""

    exposure: float
    """Factor from light to exposure."""
    white_balance: tuple[float, float, float]
    saturation: float
    gamma: float
    """Gamma of the tone curve; 2.2 is neutral."""
    shoulder: float
    """Compression of highlights, 0 to 1."""
    contrast: float
    """Steepness of the tone curve in its middle, 0 to 1."""
    black: float
    """Level of black, from flare: 0 to 0.1."""
    white: float
    """Level of white, 0 to 1."""
    resolution: float
    """Typical height of a detection in pixels, before it is scaled to the crop."""
    blur: float
    """Radius in pixels for a crop that is 256 pixels high."""
    halo: float
    """Strength of over-sharpening in percent."""
    noise: float
    """Standard deviation of brightness, in levels of 255."""
    chroma_noise: float
    """The same for colour."""
    quality: int
    """JPEG quality."""

    @cached_property
    def tones(self) -> np.ndarray:
        """(2048,) uint8 level of each step of exposure."""
        exposure = _BRIGHTEST * (np.arange(_STEPS) / (_STEPS - 1)) ** 2
        return np.array([self._tone(float(value)) for value in exposure], np.uint8)

    def _tone(self, exposure: float) -> int:
        """Return the level of an exposure: shoulder, gamma, contrast, then black and white."""
        bent = exposure * (1 + exposure * self.shoulder / 4) / (1 + self.shoulder * exposure)
        level = min(1.0, bent) ** (1 / self.gamma)
        level += self.contrast * (level * level * (3 - 2 * level) - level)
        return round(255 * (self.black + (self.white - self.black) * level))


def draw_sensor(rng: Rng, luminance: float) -> Sensor:
    """Sample a camera, exposed for a scene of mean light `luminance`; cheap ones are noisier."""
    cheap = rng.random()
    warmth, tint = rng.normal(0, 0.07), rng.normal(0, 0.03)
    return Sensor(
        exposure=_MIDDLE / luminance * math.exp(rng.normal(0, 0.22)),
        white_balance=(1 + warmth, 1 - tint, 1 - warmth),
        saturation=rng.uniform(0.6, 1.05),
        gamma=rng.uniform(1.75, 2.25),
        shoulder=rng.uniform(0.2, 0.8),
        contrast=rng.uniform(0.0, 0.45),
        black=rng.uniform(0.01, 0.08),
        white=rng.uniform(0.88, 1.0),
        resolution=rng.uniform(110, 260),
        blur=rng.uniform(0.5, 1.3),
        halo=rng.uniform(30, 130) if rng.random() < 0.45 else 0.0,
        noise=1 + 4 * cheap * rng.random(),
        chroma_noise=0.5 + 3 * cheap * rng.random(),
        quality=int(rng.integers(40, 85)),
    )


def develop(radiance: np.ndarray, sensor: Sensor, rng: Rng) -> np.ndarray:
    """Convert linear `radiance` (H, W, 3) float32 to (H, W, 3) uint8.

    Exposure, sharpness and the size of the detection vary between images of one camera.
    """
    height, width = radiance.shape[:2]
    image = Image.fromarray(_toned(radiance, sensor, rng.uniform(0.92, 1.08)))
    detail = sensor.resolution * rng.uniform(0.75, 1.2) / height
    if detail < 0.95:
        image = image.resize((round(width * detail), round(height * detail)), _BILINEAR)
    blur = sensor.blur * rng.uniform(0.7, 1.4) * image.height / _REFERENCE
    image = image.filter(ImageFilter.GaussianBlur(blur))
    if sensor.halo:
        image = image.filter(ImageFilter.UnsharpMask(1.5, round(sensor.halo), 2))
    averaged = min(1.0, 1 / detail)  # fraction of noise and blocks left after scaling down
    image = Image.fromarray(_noisy(np.asarray(image), sensor, averaged, rng))
    image = _compressed(image, round(100 - (100 - sensor.quality) * averaged))
    if image.height < height:
        image = image.resize((width, height), _BICUBIC)
    return np.array(image)


def _toned(radiance: np.ndarray, sensor: Sensor, gain: float) -> np.ndarray:
    """Apply exposure, white balance, saturation and tone curve; return (H, W, 3) uint8."""
    gains = np.array(sensor.white_balance) * (sensor.exposure * gain)
    exposed = radiance * gains.astype(np.float32)
    red, green, blue = (exposed[..., channel] * _GREY[channel] for channel in range(3))
    grey = (red + green + blue)[..., None]
    exposed = grey + (exposed - grey) * np.float32(sensor.saturation)
    roots = np.sqrt(np.clip(exposed * np.float32(1 / _BRIGHTEST), 0, 1))
    steps = (roots * np.float32(_STEPS - 1) + np.float32(0.5)).astype(np.int32)
    return np.ascontiguousarray(sensor.tones[steps])


def _noisy(levels: np.ndarray, sensor: Sensor, scale: float, rng: Rng) -> np.ndarray:
    """Add noise to (H, W, 3) uint8: brightness per pixel, colour per 2 x 2 pixels."""
    height, width = levels.shape[:2]
    grey = rng.standard_normal((height, width, 1), np.float32) * np.float32(sensor.noise * scale)
    coarse = ((height + 1) // 2, (width + 1) // 2, 3)
    colour = rng.standard_normal(coarse, np.float32) * np.float32(sensor.chroma_noise * scale)
    colour = colour.repeat(2, 0).repeat(2, 1)[:height, :width]
    return np.clip(levels + grey + colour + np.float32(0.5), 0, 255).astype(np.uint8)


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    """Compress the image to JPEG and decode it."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)
