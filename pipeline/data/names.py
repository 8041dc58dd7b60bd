"""What splits and image files are called."""

SPLITS = ("train", "query", "gallery")
SUFFIXES = frozenset({"jpg", "jpeg", "jfif", "png", "bmp", "tif", "tiff", "webp"})
