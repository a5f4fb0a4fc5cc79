/** Kinds of resource that a mesh definition is made of. */
export type ResourceKind = 'mesh' | 'virtualService' | 'virtualNode' | 'virtualRouter' | 'route' | 'virtualGateway' | 'gatewayRoute'

/** Steps from a resource's body down to one of its values. */
export type BodyPath = readonly (string | number)[]

/** Where something begins in a file; both are 1 for the first. */
export interface Position {
  readonly line: number
  /** In UTF-16 units. */
  readonly column: number
}

/**
 * One resource as the reader of a format found it: in the shape of the API's `Create*Input`, not yet checked.
 * Readers of formats only translate; what is right or wrong about a body is said in one place, for all formats.
 */
export interface Found {
  readonly kind: ResourceKind
  /** For instance `{ meshName, virtualNodeName, spec: { … } }`. */
  readonly body: unknown
  /** The file it stood in, as the user named it. */
  readonly file: string
  /** What the user calls the resource there: a logical id, an address, `kind name`. */
  readonly resource: string
  /** Where a value of the body stood in the file, in the file's own words: `Resources.Node.Properties.Spec.Listeners[0]`. */
  at(path: BodyPath): string
  /** Line and column of a place as `at` tells it, where the format has them; of the nearest around it, if it is not there. */
  position?(place: string): Position | undefined
  /**
   * Values that the reader could not tell, and left out of the body. A fault says so already: that they are missing is no
   * second one.
   */
  readonly unread?: readonly BodyPath[]
}

/** Something wrong with a definition. Errors stop the reading at its end, warnings don't. */
export interface Fault {
  readonly severity: 'error' | 'warning'
  readonly file: string
  /** 1 for the first; absent where the format does not tell, as JSON of Terraform and its language. */
  readonly line?: number
  /** 1 for the first. */
  readonly column?: number
  /** Absent where the file itself is at fault. */
  readonly resource?: string
  /** In the file's own words; absent where the resource as a whole is meant. */
  readonly path?: string
  /** What was found, and what to write instead. */
  readonly message: string
}

/** One source to read. */
export interface Source {
  /** As the user named it; stands in faults. */
  readonly file: string
  readonly text: string
}

/** What a definition leaves open. */
export interface ReadOptions {
  /**
   * Values for what the files leave open, by name: parameters of CloudFormation templates (over their defaults), pseudo
   * parameters (`AWS::Region`), exports of other stacks, `LogicalId` and `LogicalId.Attribute` of other resources, and the
   * `${NAME}` of Kubernetes manifests.
   */
  readonly parameters?: Readonly<Record<string, string>>
  /** Values for Terraform variables, over their defaults, and for what is known after an apply only: `aws_lb.main.dns_name`. */
  readonly variables?: Readonly<Record<string, unknown>>
}
