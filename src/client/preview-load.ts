import type { LoadDefinition } from '../config/definition.ts';
import type { ClientContext } from './context.ts';
export interface LoadPreview {
  load: string;
}
export async function previewLoad(_context: ClientContext, load: LoadDefinition): Promise<LoadPreview> {
  return Promise.resolve({ load: load.name });
}
