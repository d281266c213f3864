import os

os.environ.setdefault("HEADWATER_ALLOW_DEBUG", "1")
