import type { Mesh, Object3D } from 'three';
import { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';

import { ApiError, get } from '../api/client';
import type { Problem } from '../api/types';
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

/** Lashes and strands of hair end softly where the browser draws several samples a pixel. */
function softened(scene: Object3D): Object3D {
  scene.traverse((node) => {
    for (const material of [(node as Mesh).material ?? []].flat()) {
      if (material.alphaTest > 0) material.alphaToCoverage = true;
    }
  });
  return scene;
}

/** Address of a shipped figure; the default one without a name. */
export const figureUrl = (name: string) => (name ? `/api/figure.glb?name=${name}` : '/api/figure.glb');

/** Load a shipped figure. */
export async function housePerformer(name: string): Promise<Performer> {
  const { scene } = await new GLTFLoader().loadAsync(figureUrl(name));
  const figure = houseFigure(softened(scene));
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

/** Why a file cannot be shown, and what to do. */
function unreadable(message: string): Problem {
  const title = 'This figure cannot be shown';
  if (/draco/i.test(message)) {
    return {
      title,
      status: 0,
      detail: 'Its meshes are compressed with Draco, which this page does not read.',
      remedy: 'Save it without compression or with meshopt. As it is, it can be exported to .glb and .vrma.',
    };
  }
  if (/humanoid bones/i.test(message)) {
    return {
      title,
      status: 0,
      detail: `A VRM needs the bones of a whole body. ${message.replace(/^\w+: /, '')}.`,
      remedy: 'It can still be exported. To see it here, assign its bones in your VRM program and save it again.',
    };
  }
  const remedy = 'It can still be exported. To see it here, export it again from your 3D program.';
  return { title, status: 0, detail: message, remedy };
}

/**
 * Load a figure that is posed through its profile; VRM support is fetched only for VRM files.
 * Of the kind `house`, `figure` names the shipped figure.
 */
export async function avatarPerformer(id: string, kind: string, figure = '', given?: Profile): Promise<Performer> {
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
    loader.loadAsync(kind === 'house' ? figureUrl(figure) : `/api/avatars/${id}`).catch((error: Error) => {
      throw new ApiError(unreadable(error.message));
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
    scene: softened(gltf.scene),
    head: (head && gltf.scene.getObjectByName(head)) || named(gltf.scene, /head$/i),
    pose: (frame) => avatar.pose(frame),
    rest: avatar.rest,
    update: (seconds) => vrm?.update(seconds),
    missing: avatar.missing,
  };
}
