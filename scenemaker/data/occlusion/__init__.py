"""What a de-occluder is trained on: triplets, transition clips, cast shadows.

``targets``          what is to be restored: rendered objects, or a folder of pictures (``rendered``, ``images``)
``severity``         a pattern set to remove just the asked share of an object
``cutout, corner, brush``   the three patterns of SceneMaker
``triplets``         masked picture, prompt, target (SceneMaker 3.2.1)
``clips``            the occluded picture turning into the complete one (HiScene 3.3, B.1)
``cast_shadows``     one object with and without what hides and shades it (HiScene B.1)
``files``            all three as files and back
"""
