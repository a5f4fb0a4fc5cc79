/** A comparison in the middle of its work, to be killed: its program holds a connection to the port that it is told. */
import { Stage } from '../../src/compare/processes/stage.ts'

const stage = new Stage()
const directory = stage.directory()
stage.program(process.execPath, ['-e', `require('node:net').connect(${process.argv[2]}, '127.0.0.1')`])
process.send!(directory)
