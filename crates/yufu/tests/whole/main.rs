//! The real binary as a process of its own, spoken to over loopback: status, headers and whole
//! bodies. Every server takes a free port and folders of its own, and is ended by its id.

mod adopt;
mod backend;
mod check;
mod cli;
mod contract;
mod control;
mod control_cli;
mod crash;
mod dwellers;
mod faults;
mod files;
mod flows;
mod guard;
mod handset;
mod house;
mod identities;
mod lan;
mod launch;
mod names;
mod pages_http;
mod people;
mod policy;
mod proxy;
mod pushes;
mod scan;
mod serve;
mod snapshots;
mod table;
mod wechat_errors;
mod wechat_http;
mod wechat_raw;
