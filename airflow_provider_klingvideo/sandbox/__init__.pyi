from .app import create_app as create_app
from .server import SandboxServer as SandboxServer
from .settings import SandboxSettings as SandboxSettings
