// node vrma_read.mjs MODULES TAKE.vrma AVATAR.vrm SECONDS: what three-vrm shows at that time, as JSON.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, take, avatar, seconds] = process.argv.slice(2);
const require = createRequire(`${modules}/package.json`);
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
globalThis.self ??= globalThis;
globalThis.navigator ??= { userAgent: 'node' };
const THREE = await import(pathToFileURL(`${modules}/three/build/three.module.js`).href);
const { GLTFLoader } = await import(pathToFileURL(`${modules}/three/examples/jsm/loaders/GLTFLoader.js`).href);
const lib = (name) => import(pathToFileURL(`${modules}/@pixiv/${name}/lib/${name}.module.js`).href);
const { VRMLoaderPlugin } = await lib('three-vrm');
const { VRMAnimationLoaderPlugin, createVRMAnimationClip, VRMLookAtQuaternionProxy } = await lib('three-vrm-animation');

async function parsed(path, plugin) {
  const loader = new GLTFLoader();
  loader.register(plugin);
  const bytes = await readFile(path);
  return loader.parseAsync(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), '');
}

const { vrm } = (await parsed(avatar, (parser) => new VRMLoaderPlugin(parser))).userData;
const [animation] = (await parsed(take, (parser) => new VRMAnimationLoaderPlugin(parser))).userData.vrmAnimations;
if (vrm.lookAt) {
  const proxy = new VRMLookAtQuaternionProxy(vrm.lookAt);
  proxy.name = 'lookAtQuaternionProxy';
  vrm.scene.add(proxy);
}
const clip = createVRMAnimationClip(animation, vrm);
const mixer = new THREE.AnimationMixer(vrm.scene);
mixer.clipAction(clip).play();
mixer.setTime(Number(seconds));
vrm.update(0);
const expressions = {};
for (const expression of vrm.expressionManager.expressions) {
  expressions[expression.expressionName] = vrm.expressionManager.getValue(expression.expressionName);
}
const bones = {};
for (const bone of ['hips', 'neck', 'head', 'leftUpperArm', 'leftLowerArm']) {
  const node = vrm.humanoid?.getNormalizedBoneNode(bone);
  if (node) bones[bone] = node.quaternion.toArray();
}
console.log(
  JSON.stringify({
    duration: clip.duration,
    tracks: clip.tracks.map((track) => track.name),
    expressions,
    bones,
    look: vrm.lookAt ? [vrm.lookAt.yaw, vrm.lookAt.pitch] : null,
    rest: animation.restHipsPosition.toArray(),
  }),
);
