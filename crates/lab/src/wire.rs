//! The wire to the cloud, which can be cut and mended.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use cloud::Cloud;
use rustls::ServerConfig;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Error;
use crate::rooms::for_tokio;

/// Serves the cloud, or does not.
pub(crate) struct CloudWire {
    cloud: Cloud,
    tls: Arc<ServerConfig>,
    address: SocketAddr,
    served: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl CloudWire {
    /// Begins to serve. Must be called inside the house's runtime.
    pub(crate) fn new(
        cloud: Cloud,
        tls: Arc<ServerConfig>,
        listener: TcpListener,
    ) -> Result<Self, Error> {
        let address = listener
            .local_addr()
            .map_err(Error::io("the cloud's listener"))?;
        let mut wire = Self {
            cloud,
            tls,
            address,
            served: None,
        };
        wire.serve(listener)?;
        Ok(wire)
    }

    fn serve(&mut self, listener: TcpListener) -> Result<(), Error> {
        let (stop, stopped) = oneshot::channel();
        let (listener, tls, cloud) = (for_tokio(listener)?, self.tls.clone(), self.cloud.clone());
        let task = tokio::spawn(async move {
            let stopped = async {
                // A dropped sender means that the house goes down.
                let _ = stopped.await;
            };
            if let Err(error) = cloud::serve(listener, tls, cloud, stopped).await {
                tracing::error!(%error, "The cloud stopped");
            }
        });
        self.served = Some((stop, task));
        Ok(())
    }

    /// When this returns, nobody listens at the cloud's address.
    pub(crate) fn cut(&mut self, runtime: &Handle) -> Result<(), Error> {
        let Some((stop, task)) = self.served.take() else {
            return Ok(());
        };
        // Whoever has stopped by itself needs no word.
        let _ = stop.send(());
        runtime
            .block_on(task)
            .map_err(|error| Error::Story(format!("the cloud did not stop: {error}")))
    }

    /// Serves again at the same address.
    pub(crate) fn mend(&mut self, runtime: &Handle) -> Result<(), Error> {
        if self.served.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address).map_err(|source| Error::Socket {
            what: format!("the cloud on {}", self.address),
            source,
        })?;
        let _inside = runtime.enter();
        self.serve(listener)
    }
}
