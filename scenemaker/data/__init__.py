"""The data engine: objects -> layouts -> renderers -> scenes, triplets and clips to train on.

``types`` holds what flows between its parts; each sub-package is one part:

``objects``    sources of meshes: a folder, procedural families; their surface points, sharp edges, signed distances
``layouts``    where objects stand: on a plane, as Poisson discs, floating, settled by physics
``render``     world -> pictures and ground truth: Embree, Cycles, point splats
``occlusion``  triplets and clips to train de-occlusion on
``readers``    public data sets as they lie on disk, as our samples
``storage``    scene folders, shards, PyTorch data sets
"""
