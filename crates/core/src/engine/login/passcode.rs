//! Passcodes of the login backend: bound to a scene, limited per number, device, network and country.
