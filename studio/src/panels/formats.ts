import type { FormatSummary } from '../api/types';

/** What a take can be taken away as. */
export interface Format {
  ending: string;
  title: string;
  use: string;
  /** It is a video, with a size. */
  video: boolean;
  /** It can be transparent. */
  alpha: boolean;
  /** It can show the user's avatar. */
  avatar: boolean;
  /** It shows a shipped figure, unless it shows an avatar. */
  figure: boolean;
}

const WORDS: Record<string, [title: string, use: string]> = {
  '.mp4': ['Video', 'Any player, with sound'],
  '.html': ['Talking page', 'One file, plays offline'],
  '.webm': ['Transparent video', 'Over other pictures'],
  '.mov': ['Transparent video', 'ProRes, for editors'],
  '.glb': ['Animated figure', 'Blender, Unity, three.js'],
  '.vrma': ['VRM animation', 'Every VRM avatar'],
  '.usdz': ['USD', 'Film pipelines, Quick Look'],
  '.csv': ['Live Link Face', 'Unreal, MetaHuman'],
  '.json': ['Audio2Face', 'Omniverse, Maya'],
  '.npz': ['motet take', 'NumPy; opens here again'],
  '.bvh': ['BVH', 'Body, any 3D program'],
  '.srt': ['Captions', 'Editors, players'],
  '.vtt': ['Captions', 'Web video'],
};

/** The formats of the server that hold a face, best known first. */
export function faceFormats(formats: readonly FormatSummary[]): Format[] {
  const order = Object.keys(WORDS);
  const rank = (ending: string) => (order.indexOf(ending) + order.length) % order.length;
  return formats
    .filter((format) => format.face)
    .sort((a, b) => rank(a.ending) - rank(b.ending))
    .map(({ ending, avatar, pictures, figure }) => {
      const [title, use] = WORDS[ending] ?? [ending.slice(1).toUpperCase(), ''];
      return { ending, title, use, video: pictures, alpha: pictures && ending !== '.mp4', avatar, figure };
    });
}
