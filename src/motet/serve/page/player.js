// src/player/avatar.ts
function e(e, t) {
	let i = e.userData.vrm, a = n(e.scene), o = [], s = 0, c = [];
	for (let e of t.channels) {
		let t = r(e, a, i);
		t ? c.push([t, s]) : o.push(e.target ?? e.name ?? e.bone ?? e.node ?? e.kind), s += e.size;
	}
	let l = (e) => c.forEach(([t, n]) => t(e, n));
	return {
		pose: l,
		rest: () => l(t.rest),
		missing: o
	};
}
var t = (e) => e.replace(/\s/g, "_").replace(/[[\].:/]/g, "");
function n(e) {
	let t = /* @__PURE__ */ new Map();
	return e.traverse((e) => {
		for (let n of /* @__PURE__ */ new Set([
			e.name,
			e.userData?.name,
			""
		])) n !== void 0 && t.set(n, [...t.get(n) ?? [], e]);
	}), t;
}
function r(e, n, r) {
	let { kind: i, target: a = "", name: o = "", bone: s = "" } = e;
	if (i === "expression") {
		let e = r?.expressionManager;
		return e ? (t, n) => e.setValue(o, t[n]) : void 0;
	}
	if (i === "look") {
		let e = r?.lookAt;
		return e ? (t, n) => {
			e.yaw = t[n], e.pitch = t[n + 1];
		} : void 0;
	}
	let c = e.node ?? "", l = n.get(c) ?? n.get(t(c)) ?? [];
	if (i === "rotation") {
		let e = s && r?.humanoid?.getNormalizedBoneNode(s) || l[0];
		return e && ((t, n) => void e.quaternion.set(t[n], t[n + 1], t[n + 2], t[n + 3]));
	}
	if (i === "position") {
		let e = l[0]?.position;
		return e && ((t, n) => void e.set(t[n], t[n + 1], t[n + 2]));
	}
	let u = /* @__PURE__ */ new Set();
	for (let e of l) e.traverse((e) => {
		e.morphTargetDictionary && a in e.morphTargetDictionary && u.add(e);
	});
	if (u.size) return (e, t) => {
		for (let n of u) n.morphTargetInfluences[n.morphTargetDictionary[a]] = e[t];
	};
}
// src/player/curves.ts
function i(e, t, n) {
	let r = t.length, i = n.length / r;
	return {
		fps: e,
		frames: i,
		channels: t,
		values: n,
		at: (t, a = new Float32Array(r)) => {
			let o = Math.min(Math.max(t * e, 0), i - 1), s = Math.floor(o), c = o - s, l = s * r, u = Math.min(s + 1, i - 1) * r;
			for (let e = 0; e < r; e++) {
				let t = n[l + e];
				a[e] = t + c * (n[u + e] - t);
			}
			return a;
		}
	};
}
function a(e) {
	let t = new DataView(e).getUint32(0, !0), n = JSON.parse(new TextDecoder().decode(new Uint8Array(e, 4, t))), r = n.channels.map((e) => typeof e == "string" ? e : e.name ?? ""), a = (e.byteLength - 4 - t) / 4;
	if (!n.frames || a % n.frames) throw RangeError(`${a} values are no ${n.frames} whole frames`);
	let o = new Float32Array(e.slice(4 + t)), s = a / n.frames;
	for (; r.length < s;) r.push("");
	return i(n.fps, r.slice(0, s), o);
}
// src/player/live.ts
var o = 16e3, s = 10, c = 15e3, l = /* @__PURE__ */ new Set([
	1e3,
	1001,
	1008,
	1011,
	1013
]);
function u(e, t = {}) {
	let n = new AudioContext({ sampleRate: o }), r = new URL(e, location.href);
	r.protocol = r.protocol.replace("http", "ws");
	let i, a = "", u = 0, f = [], p = 0, m = {}, h = (e, t) => m[e]?.forEach((e) => e(t)), g = (e) => {
		i.readyState === WebSocket.OPEN && i.send(JSON.stringify(e));
	}, _ = n.createDelay(5);
	t.echo && _.connect(n.destination);
	let v, y = .45, b, x = [], S = [], C = 0, w = !0, T = 25;
	function E() {
		i = new WebSocket(r, "motet.live.1"), i.binaryType = "arraybuffer", i.onopen = () => a ? k() : O(), i.onmessage = ({ data: e }) => A(e), i.onclose = (e) => {
			w && a && !l.has(e.code) && D() || (w = !1, h("close", {
				code: e.code,
				reason: e.reason
			}));
		};
	}
	function D() {
		return u ||= Date.now(), Date.now() - u > c ? !1 : (h("warning", { code: "lost" }), setTimeout(E, 500), !0);
	}
	let O = () => g({
		type: "hello",
		rate: o,
		format: "s16",
		method: t.method ?? "artalk",
		options: t.options ?? {},
		delay_s: t.delay ?? "auto",
		avatar: t.avatar ?? "house",
		echo: !1,
		seed: t.seed ?? 0
	});
	function k() {
		let e = f.reduce((e, t) => e + t.length, 0);
		g({
			type: "resume",
			session: a,
			from_sample: p - e
		}), f.forEach((e) => i.send(e)), u = 0;
	}
	function A(e) {
		if (typeof e != "string") return j(e);
		let { type: t, ...n } = JSON.parse(e);
		if (t === "ready" && (y = n.delay_s.advice, T = n.fps, _.delayTime.value = y, a || requestAnimationFrame(M), a = n.session), t === "stats") {
			let e = S.sort((e, t) => e - t);
			return S = [], h("stats", {
				...n,
				late: C,
				delay_s: e[e.length >> 1]
			});
		}
		h(t === "error" ? "problem" : t, n.problem ?? n);
	}
	function j(e) {
		let t = new DataView(e), r = Number(t.getBigUint64(4, !0)), [i, a] = [t.getUint16(12, !0), t.getUint16(14, !0)];
		for (let e = 0; e < i; e++) {
			let i = new Float32Array(a);
			for (let n = 0; n < a; n++) i[n] = d(t.getUint16(16 + 2 * (e * a + n), !0));
			let s = r / o + e / T;
			if (x.push({
				seconds: s,
				values: i
			}), b !== void 0) {
				let e = n.currentTime - b - s;
				S.push(e), e > y && (C += 1);
			}
		}
	}
	function M() {
		if (w) {
			if (b !== void 0) {
				let e = n.currentTime - b - y, t;
				for (; x.length && x[0].seconds <= e;) t = x.shift();
				t && h("frame", t.values);
			}
			requestAnimationFrame(M);
		}
	}
	function N(e, t) {
		return (m[e] ??= []).push(t), L;
	}
	async function P(e) {
		v = await navigator.mediaDevices.getUserMedia({ audio: {
			deviceId: e,
			echoCancellation: !t.echo,
			channelCount: 1
		} }), await n.resume(), await n.audioWorklet.addModule(new URL("/capture.js", r.href.replace(/^ws/, "http")));
		let c = n.createMediaStreamSource(v), l = new AudioWorkletNode(n, "motet-capture", { numberOfOutputs: 0 });
		c.connect(l), c.connect(_), l.port.onmessage = ({ data: e }) => {
			if (!a) return;
			b ??= n.currentTime - e.length / o;
			let t = 0, r = Int16Array.from(e, (e) => (t = Math.max(t, Math.abs(e)), Math.max(-1, Math.min(1, e)) * 32767));
			for (f.push(r), p += r.length; f.length * e.length > s * o;) f.shift();
			i.readyState === WebSocket.OPEN && !u && i.send(r), h("level", t);
		};
	}
	function F() {
		w = !1, v?.getTracks().forEach((e) => e.stop()), i.close(1e3), n.close();
	}
	let I = () => {
		x = [], g({ type: "interrupt" });
	};
	E();
	let L = {
		on: N,
		microphone: P,
		close: F,
		interrupt: I,
		flush: () => g({ type: "flush" }),
		set: (e) => g({
			type: "set",
			options: e
		})
	};
	return L;
}
function d(e) {
	let t = e >> 10 & 31, n = e & 1023, r = e >> 15 ? -1 : 1;
	return t === 31 ? n ? NaN : r * 1e400 : t ? r * 2 ** (t - 15) * (1 + n / 1024) : r * 2 ** -14 * (n / 1024);
}
export { e as attach, u as connect, a as curves };
