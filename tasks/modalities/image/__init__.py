"""How is an image read, shown, embedded and augmented?

Submodules are imported on first use, so that a stage pays only for the libraries it needs (torchvision costs seconds).
"""
