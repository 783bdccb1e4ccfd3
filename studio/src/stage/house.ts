import { type Mesh, type Object3D, type Quaternion, Vector3 } from 'three';

import rig from './house_rig.json';

/** The house figure posed by the 55 house channels directly, so that edits show at once. */
export interface HouseFigure {
  pose(frame: ArrayLike<number>, channels: readonly string[]): void;
  rest(): void;
}

type Turn = [joint: Quaternion, rows: (readonly [channel: string, factors: readonly number[]])[]];

export function houseFigure(scene: Object3D): HouseFigure {
  const meshes: Mesh[] = [];
  scene.traverse((node) => {
    const mesh = node as Mesh;
    if (mesh.morphTargetDictionary) meshes.push(mesh);
  });
  const joint = (name: string) => {
    let found: Object3D | undefined;
    // three writes `eye.L` as `eyeL`; the file's own name stays in userData.
    scene.traverse((node) => (node.userData.name === name || node.name === name) && (found = node));
    return found?.quaternion;
  };
  const turns: Turn[] = [];
  for (const [name, share] of Object.entries(rig.neck_share)) {
    const quaternion = joint(name);
    const axes = [0, 1, 2].map((axis) => ['head.x', 'head.y', 'head.z'].map((_, i) => (i === axis ? share : 0)));
    if (quaternion) turns.push([quaternion, ['head.x', 'head.y', 'head.z'].map((c, i) => [c, axes[i]!] as const)]);
  }
  for (const [name, shapes] of Object.entries(rig.eye_turn)) {
    const quaternion = joint(name);
    if (quaternion) turns.push([quaternion, Object.entries(shapes)]);
  }
  const vector = new Vector3();

  function pose(frame: ArrayLike<number>, channels: readonly string[]) {
    for (const mesh of meshes) {
      channels.forEach((channel, c) => {
        const target = mesh.morphTargetDictionary![channel];
        if (target !== undefined) mesh.morphTargetInfluences![target] = frame[c]!;
      });
    }
    for (const [quaternion, rows] of turns) {
      vector.set(0, 0, 0);
      for (const [channel, factors] of rows) {
        const value = frame[channels.indexOf(channel)] ?? 0;
        vector.x += value * factors[0]!;
        vector.y += value * factors[1]!;
        vector.z += value * factors[2]!;
      }
      const angle = vector.length();
      if (angle > 1e-9) setAxisAngle(quaternion, vector, angle);
      else quaternion.identity();
    }
  }

  function rest() {
    for (const mesh of meshes) mesh.morphTargetInfluences!.fill(0);
    pose([], []);
  }
  return { pose, rest };
}

function setAxisAngle(quaternion: Quaternion, vector: Vector3, angle: number) {
  const s = Math.sin(angle / 2) / angle;
  quaternion.set(vector.x * s, vector.y * s, vector.z * s, Math.cos(angle / 2));
}
