/** What one part of a frame drives. */
export interface Channel {
  kind: 'morph' | 'expression' | 'rotation' | 'position' | 'look';
  /** Numbers of a frame that it takes. */
  size: number;
  /** Node that is turned or moved, or that has the morph target; empty: every mesh that has it. */
  node?: string;
  /** Name of the morph target. */
  target?: string;
  /** Name of the VRM expression. */
  name?: string;
  /** Humanoid bone of a VRM, which is turned in the normalised skeleton. */
  bone?: string;
}

export interface Profile {
  channels: Channel[];
  /** The frame at rest. */
  rest: number[];
}

export interface Avatar {
  /** Set one frame: values in the order of the profile's channels. */
  pose(frame: ArrayLike<number>): void;
  /** Return to rest. */
  rest(): void;
  /** Names of the profile that the loaded file does not have. */
  readonly missing: readonly string[];
}

// The few members of three's and three-vrm's objects that are used, so that nothing is imported.
interface Rotatable {
  quaternion: { set(x: number, y: number, z: number, w: number): unknown };
  position?: { set(x: number, y: number, z: number): unknown };
}
interface Node extends Rotatable {
  name: string;
  userData?: { name?: string };
  morphTargetDictionary?: Record<string, number>;
  morphTargetInfluences?: number[];
  traverse(visit: (node: Node) => void): void;
}
interface Vrm {
  expressionManager?: { setValue(name: string, weight: number): void } | null;
  humanoid?: { getNormalizedBoneNode(bone: string): Rotatable | null };
  lookAt?: { autoUpdate?: boolean; yaw: number; pitch: number } | null;
}
export interface LoadedAvatar {
  scene: unknown;
  userData: Record<string, unknown>;
}

type Setter = (frame: ArrayLike<number>, at: number) => void;

/**
 * Connect a loaded avatar (the result of three's GLTFLoader) with its profile.
 *
 * A VRM keeps its usual loop: call `vrm.update(dt)` after `pose`. Expressions, normalised bones
 * and the gaze are set where `vrm.update` reads them, so it does not overwrite them.
 */
export function attach(gltf: LoadedAvatar, profile: Profile): Avatar {
  const vrm = gltf.userData.vrm as Vrm | undefined;
  const nodes = byName(gltf.scene as Node);
  const missing: string[] = [];
  let at = 0;
  const setters: [Setter, number][] = [];
  for (const channel of profile.channels) {
    const set = setter(channel, nodes, vrm);
    if (set) setters.push([set, at]);
    else missing.push(channel.target ?? channel.name ?? channel.bone ?? channel.node ?? channel.kind);
    at += channel.size;
  }
  const pose = (frame: ArrayLike<number>) => setters.forEach(([set, start]) => set(frame, start));
  return { pose, rest: () => pose(profile.rest), missing };
}

/** Names as three's loader writes them: without what it cannot use in animation paths. */
const sanitised = (name: string) => name.replace(/\s/g, '_').replace(/[[\].:/]/g, '');

/** Nodes by the file's own names. */
function byName(scene: Node): Map<string, Node[]> {
  const nodes = new Map<string, Node[]>();
  scene.traverse((node) => {
    for (const name of new Set([node.name, node.userData?.name, ''])) {
      if (name !== undefined) nodes.set(name, [...(nodes.get(name) ?? []), node]);
    }
  });
  return nodes;
}

function setter(channel: Channel, nodes: Map<string, Node[]>, vrm?: Vrm): Setter | undefined {
  const { kind, target = '', name = '', bone = '' } = channel;
  if (kind === 'expression') {
    const manager = vrm?.expressionManager;
    return manager ? (frame, at) => manager.setValue(name, frame[at]!) : undefined;
  }
  if (kind === 'look') {
    const look = vrm?.lookAt;
    if (!look) return undefined;
    return (frame, at) => {
      look.yaw = frame[at]!;
      look.pitch = frame[at + 1]!;
    };
  }
  const node = channel.node ?? '';
  const found = nodes.get(node) ?? nodes.get(sanitised(node)) ?? [];
  if (kind === 'rotation') {
    const joint = (bone && vrm?.humanoid?.getNormalizedBoneNode(bone)) || found[0];
    return joint && ((f, at) => void joint.quaternion.set(f[at]!, f[at + 1]!, f[at + 2]!, f[at + 3]!));
  }
  if (kind === 'position') {
    const place = found[0]?.position;
    return place && ((f, at) => void place.set(f[at]!, f[at + 1]!, f[at + 2]!));
  }
  // A mesh of several materials becomes a group of meshes, each with all morph targets.
  const meshes = new Set<Node>();
  for (const node of found) {
    node.traverse((part) => {
      if (part.morphTargetDictionary && target in part.morphTargetDictionary) meshes.add(part);
    });
  }
  if (!meshes.size) return undefined;
  return (frame, at) => {
    for (const mesh of meshes) {
      mesh.morphTargetInfluences![mesh.morphTargetDictionary![target]!] = frame[at]!;
    }
  };
}
