/** Groups of face channels: what a user edits and re-rolls together. */
export const GROUPS = ['mouth', 'brows', 'eyes', 'cheeks', 'head'] as const;
export type Group = (typeof GROUPS)[number];

export const TITLES: Record<Group, string> = {
  mouth: 'Mouth',
  brows: 'Brows',
  eyes: 'Eyes',
  cheeks: 'Cheeks',
  head: 'Head',
};

/** The group of a channel of the house space; `undefined` for channels of other spaces. */
export function groupOf(channel: string): Group | undefined {
  if (/^(jaw|mouth|tongue)/.test(channel)) return 'mouth';
  if (channel.startsWith('brow')) return 'brows';
  if (channel.startsWith('eye')) return 'eyes';
  if (/^(cheek|nose)/.test(channel)) return 'cheeks';
  if (channel.startsWith('head')) return 'head';
  return undefined;
}

/** The one to three channels that show a group at a glance. */
export const SUMMARY: Record<Group, readonly string[]> = {
  mouth: ['jawOpen', 'mouthPucker', 'mouthSmileLeft'],
  brows: ['browInnerUp', 'browDownLeft', 'browOuterUpLeft'],
  eyes: ['eyeBlinkLeft', 'eyeSquintLeft', 'eyeLookInLeft'],
  cheeks: ['cheekSquintLeft', 'noseSneerLeft', 'cheekPuff'],
  head: ['head.x', 'head.y', 'head.z'],
};

/** `mouthSmileLeft` as `mouth smile left`. */
export function readable(channel: string): string {
  const axes: Record<string, string> = { 'head.x': 'nod', 'head.y': 'turn', 'head.z': 'tilt' };
  return axes[channel] ?? channel.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
}
