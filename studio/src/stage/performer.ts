import type { Object3D } from 'three';
import { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';

import { ApiError, get } from '../api/client';
import { attach, type LoadedAvatar, type Profile } from '../player/avatar';
import { houseFigure } from './house';

/** A figure on the stage that can be posed. */
export interface Performer {
  id: string;
  scene: Object3D;
  /** Node that the camera looks at. */
  head: Object3D | undefined;
  /** Channels that `pose` takes; the house figure takes those of any take. */
  pose(frame: ArrayLike<number>, channels: readonly string[]): void;
  rest(): void;
  /** Step of physics (hair of a VRM). */
  update(seconds: number): void;
  missing: readonly string[];
}

const named = (scene: Object3D, test: RegExp) => {
  let found: Object3D | undefined;
  scene.traverse((node) => {
    if (!found && test.test(String(node.userData.name ?? node.name))) found = node;
  });
  return found;
};

/** Load the house figure. */
export async function housePerformer(): Promise<Performer> {
  const { scene } = await new GLTFLoader().loadAsync('/api/figure.glb');
  const figure = houseFigure(scene);
  return {
    id: 'house',
    scene,
    head: named(scene, /^head$/),
    pose: figure.pose,
    rest: figure.rest,
    update: () => {},
    missing: [],
  };
}

/** Load a figure that is posed through its profile; VRM support is fetched only for VRM files. */
export async function avatarPerformer(id: string, kind: string, given?: Profile): Promise<Performer> {
  const loader = new GLTFLoader();
  if (kind !== 'house') {
    const { MeshoptDecoder } = await import('three/addons/libs/meshopt_decoder.module.js');
    loader.setMeshoptDecoder(MeshoptDecoder);
  }
  if (kind === 'vrm') {
    const { VRMLoaderPlugin } = await import('@pixiv/three-vrm');
    loader.register((parser) => new VRMLoaderPlugin(parser));
  }
  const [gltf, profile] = await Promise.all([
    loader.loadAsync(kind === 'house' ? '/api/figure.glb' : `/api/avatars/${id}`).catch((error: Error) => {
      throw new ApiError({
        title: 'This figure cannot be shown',
        status: 0,
        detail: error.message,
        remedy: 'It can still be exported. To see it here, export it again from your 3D program.',
      });
    }),
    given ?? get<Profile>(`/avatars/${id}/profile`),
  ]);
  const avatar = attach(gltf as unknown as LoadedAvatar, profile);
  const vrm = gltf.userData.vrm as
    | { update(seconds: number): void; meta?: { metaVersion?: string } }
    | undefined;
  if (vrm?.meta?.metaVersion === '0') gltf.scene.rotation.y = Math.PI; // VRM 0 faces away
  const head = profile.channels.find((c) => c.kind === 'rotation' && /head/i.test(c.bone || c.node || ''))?.node;
  return {
    id,
    scene: gltf.scene,
    head: (head && gltf.scene.getObjectByName(head)) || named(gltf.scene, /head$/i),
    pose: (frame) => avatar.pose(frame),
    rest: avatar.rest,
    update: (seconds) => vrm?.update(seconds),
    missing: avatar.missing,
  };
}
