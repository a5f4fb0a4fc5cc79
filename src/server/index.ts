export { currentPassport, type Passport } from '../core/passport.ts'
