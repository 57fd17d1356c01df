"""The options of the reference's ``config.yaml``, in three kinds: read, of one value here, without effect here.

Each comes with the default that the reference gives it where the file is silent.
"""

from __future__ import annotations

from typing import Any

# section -> option -> (name in ``ReleasedConfig``, default)
READ: dict[str, dict[str, tuple[str, Any]]] = {
    "data": {
        "max_objs": ("max_objs", 5),
        "min_pcd": ("cloud_points", 1024),
        "only_use_pitch": ("only_use_pitch", False),
        "image_width": ("picture_px", 768),
    },
    "system": {
        "guidance_scale": ("guidance_scale", 7.5),
        "num_inference_steps": ("steps", 50),
        "z_scale_factor": ("z_scale", 1.0),
        "pcd_model_type": ("point_kind", None),
        "freeze_pcd_model": ("freeze_points", False),
        "weighting_scheme": ("weighting", "logit_normal"),
    },
    "system.denoiser_model": {
        "width": ("width", 768),
        "layers": ("layers", 28),
        "curr_heads": ("heads", 16),
        "input_channels": ("channels", 32),
        "context_dim": ("context", 1024),
        "num_img_latents": ("image_tokens", 257),
        "num_pcd_latents": ("cloud_tokens", 512),
        "block_mode": ("block_mode", "full"),
        "attn_mode": ("attn_mode", "scene"),
        "use_rope": ("rope", False),
    },
    "system.shape_model": {
        "n_samples": ("shape.n_samples", 4096),
        "num_latents": ("shape.num_latents", 256),
        "embed_dim": ("shape.embed_dim", 64),
        "width": ("shape.width", 768),
        "heads": ("shape.heads", 12),
        "num_encoder_layers": ("shape.num_encoder_layers", 8),
        "num_decoder_layers": ("shape.num_decoder_layers", 16),
    },
    "system.condition_model": {
        "image_size_dino": ("dino_px", 224),
    },
}

# section -> option -> (the value that is rebuilt here, default)
FIXED: dict[str, dict[str, tuple[Any, Any]]] = {
    "data": {
        "use_mix_coord": (True, True),
    },
    "system": {
        "use_scene_img": (True, False),
        "use_scene_pcd": (True, False),
        "use_scene_mask_img": (True, False),
        "use_scene_mask": (False, False),
        "use_scene_mask_rectify": (False, False),
        "use_deocc_image": (False, False),
        "use_caption": (False, False),
        "sup_latents": (False, False),
        "precondition_outputs": (True, True),
        "shape_model_type": ("michelangelo-autoencoder", None),
        "pose_model_type": ("pose-ae", None),
        "condition_model_type": ("dinov2-embedder", None),
        "denoiser_model_type": ("dit-pose-denoiser", None),
    },
    "system.denoiser_model": {
        "condition_type": ("dinov2", "clip_dinov2"),
        "proj_mode": ("sep", "full"),
        "num_pose_latents": (3, 1),
        "context_ln": (True, True),
        "qkv_bias": (False, False),
        "use_pe": (False, False),
        "use_caption": (False, False),
    },
    "system.shape_model": {
        "with_sharp_data": (True, True),
        "use_downsample": (True, False),
        "use_ln_post": (True, False),
        "point_feats": (3, 0),
        "embed_point_feats": (False, False),
        "out_dim": (1, 1),
        "num_freqs": (8, 8),
        "embed_type": ("fourier", "fourier"),
        "include_pi": (False, True),
        "qkv_bias": (False, True),
        "qk_norm": (False, False),
        "use_multi_reso": (False, False),
    },
    "system.pose_model": {
        "in_dim": (6, 6),
        "out_dim": (6, 6),
        "num_tokens": (3, 1),
        "enable_ln_affine": (True, False),
    },
    "system.condition_model": {
        "encode_camera": (False, False),
        "normalize_embeds": (False, False),
    },
    "system.denoise_scheduler": {
        "num_train_timesteps": (1000, 1000),
        "shift": (1.0, 1.0),
    },
}

# of "system.pcd_model", by its type
FIXED_POINTS: dict[str, dict[str, tuple[Any, Any]]] = {
    "pcd-encoder": {
        "embed_type": ("fourier", "fourier"),
        "num_freqs": (8, 8),
        "include_pi": (False, True),
        "embed_point_feats": (False, False),
    },
    "shape2vectset-autoencoder": {
        "use_fps": (True, False),
        "point_feats": (0, 0),
        "out_dim": (1, 1),
        "weight_tie_layers": (False, False),
    },
}

# options of the models that change no result of trained weights
FREE: dict[str, str] = {
    "system.denoiser_model": """
        clip_weight dino_weight drop_path init_scale n_ctx n_views num_shape_latents num_text_latents
        output_channels pre_heads skip_ln use_checkpoint use_cross_rope use_flash use_scene_img use_scene_mask
        use_scene_pcd
    """,
    "system.shape_model": """
        downsample_ratio init_scale n_samples_pcd resolutions sampling_prob use_checkpoint use_flash
    """,
    "system.pose_model": """
        context_dim embed_dim embed_point_feats embed_type enable_translation encode_size_translation
        include_pi init_scale num_freqs num_latents
    """,
    "system.pcd_model": """
        init_scale num_latents out_dim qkv_bias use_checkpoint use_flash
    """,
    "system.condition_model": """
        camera_embeds_dim camera_embeds_type dino_type empty_embeds_ratio enable_gradient_checkpointing
        freeze_modulation_dino kwargs n_views pretrained_dino_name_or_path zero_uncond_embeds
    """,
}
