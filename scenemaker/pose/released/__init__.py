"""The released form of SceneMaker's pose model (github.com/IDEA-Research/SceneMaker at 9e13f358): backend
``pose-dit-released``, which loads the published checkpoints strictly and runs them as they were trained.

Its weights expect some things that the paper does not say or that are plain mistakes. They are kept, by these names:

======================  ===============================================================================================
``last-two-tokens``     The two tokens of the object's cloud (centre, size) are meant to have a projection of their own.
                        It is given the last two tokens of the context instead: two points of the cloud in the scene.
``rope-base``           Rotary frequencies are 10000^(-2j/h) with h pairs, not h channels: in effect a base of 1e8.
``flat-positions``      Rotary positions are numbers of tokens in the flat list over (object, token), in self- and
                        cross-attention alike. So the result depends on the order of the objects and on how many
                        tokens a shape has; an object that cannot be used keeps its place in the count.
``own-cloud-only``      The "scene" cloud of an object is its own cloud, put where it stands: no points of others.
``shrunk-cloud``        That cloud is 5 % too small about its centre (its 0.95 is not divided out again).
``half-and-full``       The size that is given is half the extent of the visible cloud, seen from the front; the size
                        that is found is a full edge of the cube [-1, 1]^3 around the object. Both have 1 taken off.
``half-geometry``       Shapes are 512 tokens in training; in use only the 256 of the plain surface are made.
``sampled-posterior``   Shape tokens are drawn from the encoder's posterior, not its mean. Here from a seed per object.
``rows``                The six numbers of a rotation are its first two rows (columns are what the house uses).
``stretched-picture``   The picture is brought to 512 x 512 without keeping its proportions.
``unfinished-flow``     50 steps of 0.01998 end at noise level 0.001, which is left.
``no-posed-geometry``   Shape tokens never see the cross-attentions; what comes out of them is thrown away.
``levelled-targets``    With ``only_use_pitch`` targets are levelled with gravity, clouds stay in the camera's axes.
======================  ===============================================================================================

Not kept, because no weight needs it: unseeded noise, the extra reach of ``torch.cross`` in batches of three, the half
pixel between K and pixel numbers, silence about objects that were dropped, and the cut to ``max_objs`` objects.
The clouds are normalised by the box of what is visible, as in the reference's inference; its training used the true
box. Its sampling of points along lines of a k-d tree is replaced by plain farthest points.

Reference: SceneMaker, arXiv 2512.10957. No line of the reference's code is used.
"""
