import { describe, expect, test } from 'vitest';

import { attach, type Profile } from '../../src/player/avatar';

interface FakeNode {
  traverse(visit: (node: object) => void): void;
}

function node(name: string, more: object = {}, children: FakeNode[] = []) {
  const quaternion = { values: [0, 0, 0, 1], set: (...v: number[]) => (quaternion.values = v) };
  const made = {
    name,
    quaternion,
    ...more,
    traverse: (visit: (n: object) => void) => {
      visit(made);
      children.forEach((child) => child.traverse(visit));
    },
  };
  return made;
}

describe('attach', () => {
  const profile: Profile = {
    channels: [
      { kind: 'morph', node: '', target: 'jawOpen', size: 1 },
      { kind: 'rotation', node: 'eye.L', size: 4 },
      { kind: 'morph', node: 'Face', target: 'none', size: 1 },
      { kind: 'expression', name: 'aa', size: 1 },
    ],
    rest: [0, 0, 0, 0, 1, 0, 0],
  };

  test('sets morph targets of every mesh and joints whose names three has changed', () => {
    const parts = ['skin', 'teeth'].map((name) =>
      node(name, { morphTargetDictionary: { jawOpen: 1 }, morphTargetInfluences: [0, 0] }),
    );
    const eye = node('eyeL');
    const avatar = attach({ scene: node('scene', {}, [...parts, eye]), userData: {} }, profile);
    avatar.pose([0.5, 0.1, 0.2, 0.3, 0.9, 1, 1]);
    for (const part of parts) expect(part).toMatchObject({ morphTargetInfluences: [0, 0.5] });
    expect(eye.quaternion.values).toEqual([0.1, 0.2, 0.3, 0.9]);
    expect(avatar.missing).toEqual(['none', 'aa']);
    avatar.rest();
    expect(parts[0]).toMatchObject({ morphTargetInfluences: [0, 0] });
  });

  test('expressions, normalised bones and the gaze of a VRM go where vrm.update reads them', () => {
    const set: Record<string, number> = {};
    const bone = node('normalised');
    const look = { yaw: 0, pitch: 0 };
    const vrm = {
      expressionManager: { setValue: (name: string, weight: number) => (set[name] = weight) },
      humanoid: { getNormalizedBoneNode: (name: string) => (name === 'head' ? bone : null) },
      lookAt: look,
    };
    const avatar = attach(
      { scene: node('scene'), userData: { vrm } },
      {
        channels: [
          { kind: 'expression', name: 'aa', size: 1 },
          { kind: 'rotation', node: 'J_Head', bone: 'head', size: 4 },
          { kind: 'look', size: 2 },
        ],
        rest: [0, 0, 0, 0, 1, 0, 0],
      },
    );
    avatar.pose([0.7, 0, 0.1, 0, 0.99, 12, -4]);
    expect(set).toEqual({ aa: 0.7 });
    expect(bone.quaternion.values).toEqual([0, 0.1, 0, 0.99]);
    expect(look).toEqual({ yaw: 12, pitch: -4 });
    expect(avatar.missing).toEqual([]);
  });
});
