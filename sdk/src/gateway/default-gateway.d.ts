declare module "default-gateway" {
  interface Route {
    gateway: string;
    version: 4 | 6;
    int: string | null;
  }
  export function gateway4async(): Promise<Route>;
  export function gateway6async(): Promise<Route>;
}
