"""An RTSP camera for tests: GStreamer's server (Debian: gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good -ugly).

One JSON object as argument: {"port": 0, "mounts": {"/path": "pipeline that ends in a payloader named pay0"},
"user": "", "password": "", "digest": true, "protocols": "tcp" | "udp" | "both"}. Prints "READY <port>".
"""
import json
import sys

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
gi.require_version('GstRtsp', '1.0')
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

TRANSPORTS = {
    'tcp': GstRtsp.RTSPLowerTrans.TCP,
    'udp': GstRtsp.RTSPLowerTrans.UDP,
    'both': GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP,
}

wanted = json.loads(sys.argv[1])
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address('127.0.0.1')
server.set_service(str(wanted.get('port', 0)))
user = wanted.get('user', '')
if user:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string('media.factory.role', 'viewer')
    if wanted.get('digest', False):
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, wanted['password'], token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, wanted['password']), token)
    server.set_auth(auth)
for path, pipeline in wanted['mounts'].items():
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f'( {pipeline} )')
    factory.set_shared(True)
    factory.set_protocols(TRANSPORTS[wanted.get('protocols', 'both')])
    if user:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role('viewer', 'media.factory.access', True)
        permissions.add_permission_for_role('viewer', 'media.factory.construct', True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory(path, factory)
if not server.attach(None):
    sys.exit('the port is taken')
print('READY', server.get_bound_port(), flush=True)
GLib.MainLoop().run()
