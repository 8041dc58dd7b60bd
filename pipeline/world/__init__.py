"""People, places and objects rendered with numpy, in metres: y is up, the camera looks to -z."""

import numpy as np

Rng = np.random.Generator
