//! The binary's own readers, by their sources: the rest of the binary need not be built for them.

#[expect(dead_code, reason = "the binary uses more of it")]
#[path = "../../crates/yufu/src"]
mod binary {
    pub(crate) mod read;

    pub(crate) mod check {
        pub(crate) mod recipe;
        pub(crate) mod template;
    }

    pub(crate) mod sandbox {
        pub(crate) mod span;

        pub(crate) mod authority {
            mod hosts;
            pub(crate) use hosts::{HOSTS, known};
        }

        pub(crate) mod control {
            pub(crate) mod person;
        }

        pub(crate) mod fault {
            pub(crate) mod edit;
            pub(crate) mod kind;
            pub(crate) mod read;
            pub(crate) mod spot;

            pub(crate) use kind::Fault;
        }

        pub(crate) mod proxy {
            pub(crate) mod target;
        }
    }
}

pub(crate) use binary::{check, read, sandbox};
