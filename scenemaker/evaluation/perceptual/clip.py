"""The CLIP score, the likeness of a picture and a text, or of two pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from scenemaker.errors import InputError, expected, needs
from scenemaker.evaluation.images import rgb8

if TYPE_CHECKING:
    from torch import Tensor

# Any one of each; without a vocabulary transformers makes an empty one and every text looks alike.
FILES = (
    ("config.json",),
    ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"),
    ("tokenizer.json", "vocab.json"),
    ("preprocessor_config.json", "processor_config.json"),
)


class ClipScore:
    """CLIP: cosine similarity of pictures with text, or with pictures, in a model's common space; higher is better.

    SceneMaker (table 1) reports the plain cosine of a picture and its class label, around 0.26 for good pictures:
    ``cosine``. The CLIP score of Hessel et al. is 2.5 times that, at least 0: ``score``.

    Reference: Radford et al., ICML 2021; Hessel et al., "CLIPScore: a reference-free evaluation metric for image
    captioning", EMNLP 2021, section 3.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        """Takes a ``CLIPModel`` and a ``CLIPProcessor`` of transformers; see ``load``."""
        self._model, self._processor = model, processor

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> ClipScore:
        """Reads a model from a folder in transformers' layout (config.json, model.safetensors, tokenizer).

        Raises:
            BackendNotInstalledError: No torch or no transformers.
            InputError: A folder that is not there, lacks a file or a weight, or whose model cannot be read.
            DeviceError: A device that is not there.
        """
        from scenemaker.device import check_device

        needs("torch", "models")
        needs("transformers", "models")
        from transformers import CLIPModel, CLIPProcessor  # pyright: ignore[reportMissingImports]

        check_device(device)
        folder = Path(folder)
        for names in FILES:
            if not any((folder / name).is_file() for name in names):
                what, remedy = f"a folder with {' or '.join(names)}", "give a CLIP model in transformers' layout"
                raise InputError(expected(what, got=str(folder), remedy=remedy))
        try:
            loaded: Any = CLIPModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
            model, report = loaded
            processor = CLIPProcessor.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # of many kinds, by the file that is wrong
            raise InputError(expected("a CLIP model", got=f"{folder}: {error}", remedy="fetch it again")) from error
        if report["missing_keys"]:  # transformers would leave them random
            got = f"{folder} without {min(report['missing_keys'])}"
            raise InputError(expected("all weights of a CLIP model", got=got, remedy="fetch it again"))
        return cls(model.to(device).eval(), processor)

    def cosine(self, picture: ArrayLike, other: ArrayLike | str) -> float:
        """Cosine, in [-1, 1], of a picture (h, w, 3) uint8 RGB with a text or with another picture of any size.

        Pictures are prepared as the model's own preprocessor says: usually resized and cut to the middle square. Texts
        beyond the model's length (77 tokens) are cut.

        Raises:
            ShapeError: A picture of another shape or dtype.
            InputError: An empty text.
        """
        a = self._of_picture(picture)
        b = self._of_text(other) if isinstance(other, str) else self._of_picture(other)
        return float((a @ b) / (a.norm() * b.norm()))

    def score(self, picture: ArrayLike, text: str) -> float:
        """CLIPScore, in [0, 2.5]: 2.5 max(0, cosine) of a picture with "A photo depicts " and the text.

        Raises:
            ShapeError: A picture of another shape or dtype.
            InputError: An empty text.
        """
        _check_text(text)
        return 2.5 * max(0.0, self.cosine(picture, f"A photo depicts {text}"))

    def _of_picture(self, picture: ArrayLike) -> Tensor:
        """(d,) in the common space."""
        import torch
        from PIL import Image

        pixels = self._processor(images=Image.fromarray(rgb8(picture)), return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            pooled = self._model.vision_model(pixel_values=pixels.to(self._model.device)).pooler_output
            return self._model.visual_projection(pooled)[0].double()

    def _of_text(self, text: str) -> Tensor:
        """(d,) in the common space."""
        import torch

        _check_text(text)
        tokens = self._processor(text=[text], return_tensors="pt", truncation=True)
        parts = {key: tokens[key].to(self._model.device) for key in ("input_ids", "attention_mask")}
        with torch.no_grad():
            return self._model.text_projection(self._model.text_model(**parts).pooler_output)[0].double()


def _check_text(text: str) -> None:
    if not text.strip():
        raise InputError(expected("a text", got=repr(text), remedy="give the object's label"))
