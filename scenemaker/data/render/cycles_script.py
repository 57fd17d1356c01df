"""What runs inside Blender's own Python: reads job folders, renders them with Cycles, writes arrays.

    python -I cycles_script.py          (started and fed by ``cycles.py``; imports nothing of scenemaker)

Protocol: one JSON object per line. It says {"ready": "5.0.1"}; it is told {"job": folder}; it answers {"done": true} or
{"error": text}. End of input ends the process, and so does the end of its parent.

A job folder holds ``job.json`` and ``arrays.npz`` as ``cycles.write_job`` writes them. For view i it gets
``rgb_i.npy``, (H, W, 3) linear light, or ``passes_i.npy``, (H, W, 2) depth and object index + 1 (0: ground,
-1: nothing) at the pixel centres.

Convention: everything enters Blender (z up) by ``R_blender_world``, under which Blender's reading of an equirectangular
picture is that of ``data.types.Environment``. ``cam`` is OpenCV's, Blender's camera looks along its -z with y up.
"""

import json
import math
import os
import shutil
import sys
import threading
import time
import traceback
from pathlib import Path

import bpy  # pyright: ignore[reportMissingImports]
import mathutils  # pyright: ignore[reportMissingImports]
import numpy as np

R_blender_world = np.array([[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]])  # (x, y, z) -> (-z, -x, y)
LENS_MM = 50.0  # any: only its ratio to the sensor counts
GROUND_CORNERS = 2048  # of the polygon that stands for the disc: 1e-6 of its radius off
ENVIRONMENT_ROWS = 512  # Blender blends the first row with the last; with fewer rows that would be seen


def main():
    """Serves jobs until the input ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Blender prints progress to stdout: it goes with the errors, the protocol has a channel of its own
    current = {"job": None}
    threading.Thread(target=leave_with_parent, args=(os.getppid(), current), daemon=True).start()

    def reply(message):
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    reply({"ready": bpy.app.version_string})
    for line in sys.stdin:
        current["job"] = json.loads(line)["job"]
        try:
            render_job(Path(current["job"]))
        except Exception as error:  # whatever it is, the parent must hear of it
            traceback.print_exc()
            reply({"error": f"{type(error).__name__}: {error}"})
        else:
            reply({"done": True})
        current["job"] = None


def leave_with_parent(parent, current):
    """Ends the process, and removes the job it was at, when the process that started it is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    if current["job"]:
        shutil.rmtree(current["job"], ignore_errors=True)
    os._exit(1)


def render_job(folder):
    """Renders every view of a job folder."""
    job = json.loads((folder / "job.json").read_text("utf-8"))
    with np.load(folder / "arrays.npz") as file:
        arrays = dict(file)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    settings(scene, job)
    for i, item in enumerate(job["objects"]):
        mesh = {key.partition("/")[2]: value for key, value in arrays.items() if key.startswith(f"object{i}/")}
        add_mesh(scene, mesh, item, index=i + 1)
    if job["ground"]:
        add_ground(scene, arrays["ground"], job["ground"])
    if job["passes"]:
        bpy.context.view_layer.material_override = passes_material()
    else:
        add_environment(scene, arrays["environment"])
        for light in job["lights"]:
            add_light(scene, light)
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(scene.camera)
    for i, camera in enumerate(job["cameras"]):
        set_camera(scene, camera)
        scene.cycles.seed = (job["seed"] + i) % 2**31  # else the noise of all views would be one pattern
        rgba = take_picture(scene, folder / "picture.exr")
        if job["passes"]:
            seen = rgba[..., 3] > 0
            index, depth = np.where(seen, rgba[..., 0].round(), -1), np.where(seen, rgba[..., 1], np.nan)
            np.save(folder / f"passes_{i}.npy", np.stack([depth, index], -1).astype(np.float32))
        else:
            np.save(folder / f"rgb_{i}.npy", rgba[..., :3])


def settings(scene, job):
    """Cycles on the CPU; no setting of the user's own Blender takes part."""
    render, cycles = scene.render, scene.cycles
    render.engine, cycles.device = "CYCLES", "CPU"
    render.use_persistent_data = True  # views of one scene share its search tree and textures
    render.threads_mode, render.threads = ("FIXED", job["threads"]) if job["threads"] else ("AUTO", 1)
    render.resolution_percentage = 100
    render.image_settings.file_format = "OPEN_EXR"
    render.image_settings.color_mode, render.image_settings.color_depth = "RGBA", "32"
    cycles.use_adaptive_sampling = False
    cycles.samples = job["samples"]
    cycles.use_denoising = job["denoise"]
    cycles.max_bounces = job["bounces"]
    cycles.diffuse_bounces = cycles.glossy_bounces = job["bounces"]
    cycles.sample_clamp_direct = 0
    cycles.sample_clamp_indirect = 10  # fireflies of lamps seen in mirrors; darkens nothing that is visible
    if job["passes"]:  # the rays of the pixel centres
        cycles.samples, cycles.use_denoising, cycles.max_bounces = 1, False, 0
        cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 0.01
        render.film_transparent = True
    else:
        cycles.pixel_filter_type = "BOX"  # a pixel is the mean over its square


def add_object(scene, name, data):
    """Puts a data block into the scene at the origin of Blender's world."""
    item = bpy.data.objects.new(name, data)
    scene.collection.objects.link(item)
    return item


def new_mesh(vertices_world, faces):
    """A Blender mesh of vertices (n, 3) and triangles (m, 3)."""
    mesh = bpy.data.meshes.new("mesh")
    mesh.vertices.add(len(vertices_world))
    mesh.vertices.foreach_set("co", to_blender(vertices_world).astype(np.float32).ravel())
    mesh.loops.add(faces.size)
    mesh.loops.foreach_set("vertex_index", faces.astype(np.int32).ravel())
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    return mesh


def set_uv(mesh, uv, faces):
    """Texture coordinates (n, 2) of the vertices; ours start at the top of the picture, Blender's at its bottom."""
    flipped = np.stack([uv[:, 0], 1 - uv[:, 1]], 1)[faces.ravel()]
    mesh.uv_layers.new(name="uv").data.foreach_set("uv", flipped.astype(np.float32).ravel())


def add_mesh(scene, arrays, item, index):
    """One object with its texture or its vertex colours."""
    faces = arrays["faces"]
    mesh = new_mesh(arrays["vertices_world"], faces)
    if "texture" in arrays:
        set_uv(mesh, arrays["uv"], faces)
    else:
        rgba = np.concatenate([arrays["colors_linear"], np.ones((len(arrays["vertices_world"]), 1))], 1)
        colours = mesh.color_attributes.new("colour", "FLOAT_COLOR", "POINT")
        colours.data.foreach_set("color", rgba.astype(np.float32).ravel())
    mesh.update(calc_edges=True)
    normals = to_blender(arrays["corner_normals_world"]).astype(np.float32)
    mesh.attributes.new("custom_normal", "FLOAT_VECTOR", "CORNER").data.foreach_set("vector", normals.ravel())
    mesh.materials.append(surface(arrays, item))
    add_object(scene, f"object{index - 1}", mesh).pass_index = index


def add_ground(scene, texture, ground):
    """The disc of ``data.types.Ground``."""
    angle = np.linspace(0, 2 * np.pi, GROUND_CORNERS, endpoint=False)
    vertices = ground["radius"] * np.stack([np.cos(angle), np.zeros_like(angle), -np.sin(angle)], 1)
    vertices[:, 1] = ground["height"]
    faces = disc_faces(GROUND_CORNERS)
    mesh = new_mesh(vertices, faces)
    set_uv(mesh, vertices[:, [0, 2]] / ground["tile"], faces)
    mesh.update(calc_edges=True)
    mesh.materials.append(surface({"texture": texture}, ground, extension="REPEAT"))
    add_object(scene, "ground", mesh).pass_index = 0


def disc_faces(n):
    """(n - 2, 3) triangles of a polygon whose corners stand on a circle; n is a power of two.

    A square, and on each side a triangle to the arc's middle, again and again: a fan's thousand splinters that meet in
    the middle would make every ray five times as slow.
    """
    corners = np.arange(n)
    faces = [np.array([[0, n // 4, n // 2], [0, n // 2, 3 * n // 4]])]
    step = n // 4
    while step > 1:
        start = corners[::step]
        faces.append(np.stack([start, start + step // 2, (start + step) % n], 1))
        step //= 2
    return np.concatenate(faces)


def surface(arrays, item, extension="EXTEND"):
    """A Principled BSDF."""
    material = bpy.data.materials.new("surface")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    bsdf = nodes.new("ShaderNodeBsdfPrincipled")
    bsdf.inputs["Roughness"].default_value = item["roughness"]
    bsdf.inputs["Metallic"].default_value = item["metallic"]
    if "texture" in arrays:
        colour = nodes.new("ShaderNodeTexImage")
        colour.image = new_image(arrays["texture"] / np.float32(255), "sRGB")
        colour.extension = extension
    else:
        colour = nodes.new("ShaderNodeVertexColor")
        colour.layer_name = "colour"
    links.new(colour.outputs[0], bsdf.inputs["Base Color"])
    links.new(bsdf.outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    return material


def passes_material():
    """Glows with (object index, depth, 0): one render without light gives both, as Cycles' own rays find them."""
    material = bpy.data.materials.new("passes")
    material.use_nodes = True
    material.cycles.emission_sampling = "NONE"
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    both, glow = nodes.new("ShaderNodeCombineXYZ"), nodes.new("ShaderNodeEmission")
    links.new(nodes.new("ShaderNodeObjectInfo").outputs["Object Index"], both.inputs[0])
    links.new(nodes.new("ShaderNodeCameraData").outputs["View Z Depth"], both.inputs[1])
    links.new(both.outputs[0], glow.inputs["Color"])
    links.new(glow.outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    return material


def new_image(rgb, colour_space):
    """A Blender image of (h, w, 3) floats, row 0 on top; sRGB is kept in 8 bits."""
    h, w = rgb.shape[:2]
    image = bpy.data.images.new("image", w, h, alpha=False, float_buffer=colour_space != "sRGB")
    image.colorspace_settings.name = colour_space
    rgba = np.concatenate([rgb[::-1, :, :3], np.ones((h, w, 1))], 2)
    image.pixels.foreach_set(rgba.astype(np.float32).ravel())
    image.update()
    return image


def add_environment(scene, radiance):
    """The world's light: an equirectangular picture, its rows multiplied where they are few."""
    h = len(radiance)
    if h < ENVIRONMENT_ROWS:
        row = (np.arange(ENVIRONMENT_ROWS) + 0.5) / ENVIRONMENT_ROWS * h - 0.5
        low = np.floor(row).clip(0, h - 1).astype(int)
        share = (row - low).clip(0, 1)[:, None, None]
        radiance = radiance[low] * (1 - share) + radiance[np.minimum(low + 1, h - 1)] * share
    world = scene.world = bpy.data.worlds.new("environment")
    world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    nodes.clear()
    picture, glow = nodes.new("ShaderNodeTexEnvironment"), nodes.new("ShaderNodeBackground")
    picture.image = new_image(radiance, "Linear Rec.709")
    links.new(picture.outputs[0], glow.inputs["Color"])
    links.new(glow.outputs[0], nodes.new("ShaderNodeOutputWorld").inputs["Surface"])


def add_light(scene, light):
    """A sun or a square lamp that gives its irradiance at the origin on a surface facing it."""
    irradiance = np.array(light["irradiance"])
    peak = float(irradiance.max())
    if peak <= 0:
        return
    away = to_blender(np.array(light["direction_world"]))
    if light["distance"] is None:
        lamp = bpy.data.lights.new("sun", "SUN")
        lamp.angle, lamp.energy = light["size"], peak
    else:
        lamp = bpy.data.lights.new("area", "AREA")
        lamp.shape, lamp.size = "SQUARE", light["size"]
        lamp.energy = peak * area_power_per_irradiance(light["size"], light["distance"])
    lamp.color = irradiance / peak
    item = add_object(scene, "lamp", lamp)
    item.visible_camera = False
    item.location = away * (light["distance"] or 0)
    item.rotation_mode = "QUATERNION"
    item.rotation_quaternion = quaternion_z_to(away)


def area_power_per_irradiance(side, distance):
    """Watts of a square lamp per unit of irradiance at ``distance`` straight before it.

    A Lambertian square of radiance L = power / (pi side^2) gives E = 4 L a atan(a) with a = A / sqrt(1 + A^2) and
    A = side / (2 distance): four times the form factor of a rectangle over one of its corners.
    """
    A = side / (2 * distance)
    a = A / math.sqrt(1 + A * A)
    return math.pi * side * side / (4 * a * math.atan(a))


def quaternion_z_to(z):
    """(w, x, y, z) of a rotation that takes the z axis to the unit vector z: lamps shine along their -z."""
    if z[2] < -1 + 1e-9:
        return (0.0, 1.0, 0.0, 0.0)
    q = np.array([1 + z[2], -z[1], z[0], 0.0])
    return tuple(q / np.linalg.norm(q))


def set_camera(scene, camera):
    """K, size and place of the camera; its principal point by Blender's lens shift, fx != fy by its pixel aspect."""
    (fx, _, cx), (_, fy, cy), _ = camera["K"]
    w, h = camera["width"], camera["height"]
    render, lens = scene.render, scene.camera.data
    put(render, "resolution_x", w)
    put(render, "resolution_y", h)
    put(render, "pixel_aspect_x", max(1.0, fy / fx))
    put(render, "pixel_aspect_y", max(1.0, fx / fy))
    lens.sensor_fit = "HORIZONTAL"
    put(lens, "lens", LENS_MM)
    put(lens, "sensor_width", LENS_MM * w / fx)
    put(lens, "shift_x", (w / 2 - cx) / w)  # both in picture widths
    put(lens, "shift_y", (cy - h / 2) * (fx / fy) / w)
    lens.clip_start, lens.clip_end = 1e-4, 1e6
    T_cam_world = np.array(camera["T_cam_world"])
    R_world_cam = T_cam_world[:3, :3].T
    matrix = np.eye(4)
    matrix[:3, :3] = R_blender_world @ R_world_cam @ np.diag([1.0, -1, -1])
    matrix[:3, 3] = to_blender(-R_world_cam @ T_cam_world[:3, 3])
    scene.camera.matrix_world = mathutils.Matrix(matrix.tolist())  # a plain list would be read as columns


def put(owner, name, value):
    """Sets a property; Blender would silently clip one out of its range."""
    setattr(owner, name, value)
    kept = getattr(owner, name)
    if not math.isclose(kept, value, rel_tol=1e-5, abs_tol=1e-6):
        raise ValueError(f"Blender cannot take {name} = {value:g} (it keeps {kept:g}); choose another camera")


def take_picture(scene, path):
    """(H, W, 4) float32 linear light of the current camera, row 0 on top."""
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Linear Rec.709"
    w, h = image.size
    pixels = np.empty(h * w * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    path.unlink()
    return pixels.reshape(h, w, 4)[::-1]


def to_blender(vectors_world):
    """(..., 3) directions or points of ``world`` in Blender's."""
    return np.asarray(vectors_world) @ R_blender_world.T


if __name__ == "__main__":
    main()
