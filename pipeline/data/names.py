"""What splits and image files are called."""

SPLITS = ("train", "query", "gallery")
SUFFIXES = frozenset({"jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp"})
