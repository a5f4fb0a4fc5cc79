export { FakeClock, settle } from './fake-clock.ts'
export { scriptedRandom, seededRandom } from './random.ts'
export { fakeRuntime } from './fake-runtime.ts'
export { scriptedUpstream, type Script, type ScriptedAnswer, type ScriptedUpstream } from './scripted-upstream.ts'
