"""A certificate authority that lives for one run, and one leaf for all the platform's hosts."""

import subprocess


def make(folder, hosts):
    """Writes ca.pem, leaf.pem and leaf.key into `folder` and returns their paths."""
    ca, ca_key, leaf, leaf_key = (folder / name for name in ("ca.pem", "ca.key", "leaf.pem", "leaf.key"))
    config = folder / "openssl.cnf"
    names = ",".join(f"DNS:{host}" for host in hosts)
    config.write_text(
        "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=yufu conformance\n"
        "[ca]\nbasicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
        "[leaf]\nbasicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n"
        f"extendedKeyUsage=serverAuth\nsubjectAltName={names}\nauthorityKeyIdentifier=keyid\n")

    def openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config", config)
    openssl("req", "-x509", *curve, "-days", "2", "-extensions", "ca", "-keyout", ca_key, "-out", ca)
    openssl("req", *curve, "-subj", "/CN=yufu conformance leaf", "-keyout", leaf_key, "-out", folder / "leaf.csr")
    openssl("x509", "-req", "-in", folder / "leaf.csr", "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
            "-extfile", config, "-extensions", "leaf", "-out", leaf)
    return ca, leaf, leaf_key
