//! Invented people, to measure with: the same for the same numbers.

use std::io::Write;

use clap::Args;

/// Writes an export of invented people.
#[derive(Args)]
pub(crate) struct Generate {
    /// How many rows.
    rows: u64,
    /// Of a thousand people, how many have two accounts.
    #[arg(long, default_value_t = 30, value_name = "N")]
    duplicates: u64,
    /// Of a thousand rows, how many know no unionid.
    #[arg(long, default_value_t = 100, value_name = "N")]
    untold: u64,
}

const APPS: [&str; 3] = [
    "wx00000000000000a1",
    "wx00000000000000b2",
    "wx00000000000000c3",
];
/// Somewhere in 2020.
const BEGAN: u64 = 1_590_000_000;

/// `yufu identities generate`
pub(super) fn run(generate: &Generate) -> Result<(), String> {
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    // A reader that has enough is no fault.
    let _ = write(generate, &mut out).and_then(|()| out.flush());
    Ok(())
}

fn write(generate: &Generate, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(
        out,
        "user,provider,appid,openid,unionid,phone,nickname,created_at"
    )?;
    let (mut row, mut person, mut user) = (0, 0, 0);
    while row < generate.rows {
        person += 1;
        user += 1;
        let dice = mixed(person);
        let logins = 1 + dice % 3 / 2 + dice % 7 / 6;
        let is_double = logins > 1 && dice / 1000 % 1000 < generate.duplicates * 2;
        for login in 0..logins {
            if row == generate.rows {
                break;
            }
            // The second login of somebody with two accounts made an account of its own.
            if is_double && login == 1 {
                user += 1;
            }
            let app = APPS[(login % 3) as usize];
            let key = mixed(person * 8 + login);
            let is_told = is_double || mixed(row) % 1000 >= generate.untold;
            let unionid = if is_told {
                format!("oU{:026x}", mixed(person))
            } else {
                String::new()
            };
            let has_phone = login == 0 && dice % 5 < 4;
            let phone = match has_phone {
                true => format!("+861{:010}", 3_000_000_000 + person),
                false => String::new(),
            };
            let at = BEGAN + person * 37 % 100_000_000 + login;
            writeln!(
                out,
                "{user},wechat,{app},o{key:027x},{unionid},{phone},用户{person},{at}"
            )?;
            row += 1;
        }
    }
    Ok(())
}

/// Bits without order, the same each time: the finishing step of splitmix64.
const fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}
