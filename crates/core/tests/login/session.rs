//! Sessions of devices: beginning, calling, refreshing, the ways to end.

use crate::world::{World, at, device, phone};

#[tokio::test]
async fn a_session_token_lets_in() {
    let world = World::new().await;
    let secret = world.device();
    let number = phone("13800000001");
    let logged_in = world
        .login(&number, device(&secret, "Pixel", "android"), at(0))
        .await;
    let token = logged_in.pair.token.expose();
    let auth = world.engine.authenticate(token, None, at(1)).await.unwrap();
    assert_eq!(auth.user, logged_in.user);
}
